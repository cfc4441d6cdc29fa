"""Records, extraction, splits, examples and attempts. Never imports torch."""
