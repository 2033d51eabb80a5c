"""A browser at Studio's page."""
