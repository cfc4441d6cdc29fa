"""Searches over proof states: independent sampling, best-first, and the driver that batches many of them."""
