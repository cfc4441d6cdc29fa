"""Informal statements and their formal ones: pairs, scores of a translation, equivalence, and what data are worth."""
