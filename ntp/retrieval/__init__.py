"""Premises for proof states: which are accessible, and which are likely to be used."""
