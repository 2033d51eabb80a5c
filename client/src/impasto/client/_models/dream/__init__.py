"""DeepDream: gradient ascent at one octave after the other."""
