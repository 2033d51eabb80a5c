"""The arbitrary stylizer: paints a photo in the style of any painting."""
