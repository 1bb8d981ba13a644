"""Pipelines for an orchestrator to run: `workload` what is the same for all, a module for each."""
