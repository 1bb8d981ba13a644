"""What charts look like, and the feature maps of a network as pictures."""
