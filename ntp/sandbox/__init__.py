"""Child processes: isolation, limits, and ending them. Knows no proof assistant."""
