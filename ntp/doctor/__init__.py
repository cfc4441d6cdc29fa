"""Reports what is installed on this machine, and the command that installs what is missing."""
