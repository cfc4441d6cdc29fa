"""The copilot: proof states of texts that are being written, and suggestions that the prover has checked."""
