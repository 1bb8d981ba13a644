"""Statistics checked against a schema and compared with other statistics."""
