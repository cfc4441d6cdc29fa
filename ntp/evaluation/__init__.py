"""Evaluation of searches: checked results, metrics, tables and reports."""
