"""Measurements of this project beside bare loops that do the same work."""
