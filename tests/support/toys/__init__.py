"""Models that are made in seconds and run in milliseconds, and the repositories that hold them."""
