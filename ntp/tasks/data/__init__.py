"""Tasks that turn sources into training data."""
