"""Whether a statement that a model wrote means something to the prover: one declaration, hostile input."""
