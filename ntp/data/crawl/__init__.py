"""Finds repositories of Coq and Lean on GitHub: which there are, at which commit, and which are copies."""
