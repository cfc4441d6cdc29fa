"""Where a run leaves its traces: its directory, checkpoints, progress and MLflow."""
