"""Tactic policies: prompts, sampling and scoring."""
