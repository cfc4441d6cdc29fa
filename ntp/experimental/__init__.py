"""Code that has not been run on the hardware it is written for; do not rely on its results."""
