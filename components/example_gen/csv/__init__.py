"""Tables in CSV files: how they are written, what their columns are, and their records."""
