"""Sweeps: many jobs of one command line, on this machine or on SLURM."""
