"""Upscalers: networks that enlarge pictures, served behind one contract whatever they are."""
