"""A few networks for each kind of data, tried in turn, and the best of them kept."""
