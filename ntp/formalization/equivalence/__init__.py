"""Whether two formal statements say the same, shown by proofs that the kernel checks."""
