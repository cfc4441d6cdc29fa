"""Coq: a client of coqidetop, documents, proofs, and the guard for tactics."""
