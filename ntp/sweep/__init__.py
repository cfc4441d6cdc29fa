"""Sweeps: what was asked of each job, where it runs, how it ended."""
