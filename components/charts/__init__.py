"""What charts look like, and what is drawn of the layers of a network."""
