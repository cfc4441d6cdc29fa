"""The language server: what the prover accepted, in an editor."""
