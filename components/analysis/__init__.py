"""What preprocessing needs to know of the train split, a module per kind of data."""
