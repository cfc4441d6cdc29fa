"""Replay of verified proofs."""
