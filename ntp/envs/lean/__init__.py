"""Lean 4, through its REPL or through LeanDojo."""
