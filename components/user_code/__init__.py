"""A person's own code: found by its name, and told apart by its content."""
