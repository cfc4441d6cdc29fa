"""Tasks of the copilot: serve, calibrate, assess."""
