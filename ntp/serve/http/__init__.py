"""The copilot over HTTP: its own routes, and those of the clients that people have already."""
