"""Rewards of trajectories, in log space."""
