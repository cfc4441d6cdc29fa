"""Records, extraction, splits and DataModules."""
