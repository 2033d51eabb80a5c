"""Style transfer by optimisation (Gatys et al.), at one size or several."""
