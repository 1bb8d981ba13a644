"""How models are judged, by their task; and the verdict."""
