"""Reads theorems, steps and premises from Lean benchmarks."""
