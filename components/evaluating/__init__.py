"""How models other than classifiers are judged, a module per task."""
