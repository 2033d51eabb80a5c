"""Trains and exports Impasto's models as SavedModels into a versioned repository."""
