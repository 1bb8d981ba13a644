"""The recipes: rows of a table, and the wiring that every row shares."""
