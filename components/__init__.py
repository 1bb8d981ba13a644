"""The steps of a pipeline: plain functions from artifacts and options to one artifact."""
