"""What `tuner` is made of: ranges, the study that proposes trials, trials in their processes."""
