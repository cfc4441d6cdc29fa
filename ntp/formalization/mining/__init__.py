"""Pairs from a library's own documentation: a comment for readers and the statement that follows it."""
