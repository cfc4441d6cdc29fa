"""Structured-config schemas of every Hydra group."""
