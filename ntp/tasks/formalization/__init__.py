"""Tasks of autoformalization."""
