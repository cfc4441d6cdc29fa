"""Autoformalization: pairs of statements, how formalizations are judged, and what data are worth."""
