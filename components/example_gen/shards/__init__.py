"""What every ingest shares: folders, splits, and the pass that writes the shards."""
