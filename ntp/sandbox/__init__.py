"""Child processes: isolation, resource limits, and termination. Independent of any proof assistant."""
