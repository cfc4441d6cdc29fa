"""Whole proofs: what their search is made of, and the evaluation of whole projects."""
