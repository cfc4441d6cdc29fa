"""Code that has never run on the hardware it is written for; nothing outside may depend on its results."""
