"""Repairs of scripts that the prover refuses, one small class for each class of error."""
