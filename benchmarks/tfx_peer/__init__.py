"""What `benchmarks.race` has TFX 1.16 do, run by the Python 3.10 of an environment with it."""
