"""How diverse data are, how close to a target, and whether that predicts what a model learns."""
