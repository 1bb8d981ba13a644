"""What pages show, and what their files and buttons do: one module for each thing looked at."""
