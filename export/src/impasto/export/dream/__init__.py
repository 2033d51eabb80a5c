"""DeepDream: a picture changed by gradient ascent so that chosen layers of a network respond more strongly."""
