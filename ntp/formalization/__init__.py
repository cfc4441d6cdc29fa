"""Informal statements and formal ones: pairs, readers, type checks, and scores of what a model writes."""
