"""Proof assistants as environments. Never imports torch."""
