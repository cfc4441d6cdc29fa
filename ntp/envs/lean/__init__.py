"""Lean 4: through its REPL and through LeanDojo."""
