"""Style transfer by optimisation: Gatys et al., "Image Style Transfer Using Convolutional Neural Networks" (2016)."""
