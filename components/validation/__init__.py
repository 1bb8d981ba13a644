"""Statistics held against a schema and against other statistics."""
