"""Texts as a source of records: files, rows of tables, and running text."""
