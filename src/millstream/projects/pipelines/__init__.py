"""Pipelines: entry points that need what others make, each run once for the same code, data and parameters."""
