"""Theorems, steps and premises out of Coq sources."""
