"""Series in CSV files: read, put on a regular grid of times, cut into splits."""
