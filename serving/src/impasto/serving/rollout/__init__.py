"""Rollouts: the configuration of real servers is written, checked and changed while they run."""
