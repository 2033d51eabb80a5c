"""Upscaling: pictures through a network that enlarges by whole factors, in tiles where they are large."""
