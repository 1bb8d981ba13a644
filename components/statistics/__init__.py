"""Statistics of records: mergeable accumulators, and the tensorflow-metadata proto of them."""
