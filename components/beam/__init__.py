"""What every Beam step shares: the runner and its flags, and passes over shards."""
