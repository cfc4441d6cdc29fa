"""Formats in which other systems train on a data set: ntp-toolkit's outputs, miniCTX, instructions, chat."""
