"""Run directories, MLflow, checkpoints and progress."""
