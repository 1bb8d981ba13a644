"""The engine that runs recipes, and the command line over it."""
