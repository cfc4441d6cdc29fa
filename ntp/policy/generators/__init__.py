"""Generators: language models that answer conversations, in this process or behind a server."""
