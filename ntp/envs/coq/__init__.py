"""Coq: a client of coqidetop, its documents, and what it may be sent."""
