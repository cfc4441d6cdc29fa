"""Theorems, steps and premises out of Lean benchmarks."""
