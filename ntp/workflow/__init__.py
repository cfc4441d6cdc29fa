"""The engine: what depends on what, where results are kept, and how they are made. Knows no task."""
