"""Options of steps: from text to values, and the ranges that these have."""
