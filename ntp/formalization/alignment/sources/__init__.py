"""Where the texts of data conditions come from: what is installed, and what the project's own stages make."""
