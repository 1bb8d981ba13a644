"""How far a step is: what it logs that is no line of its own for a person."""
