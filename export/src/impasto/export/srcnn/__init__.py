"""SRCNN super-resolution: train it, measure it, export it."""
