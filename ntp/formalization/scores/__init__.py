"""Scores of what a model makes of informal statements: objects of one interface (`base`)."""
