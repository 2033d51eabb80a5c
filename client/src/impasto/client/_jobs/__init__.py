"""Jobs without their mathematics: the values, the steps that they take, and what carries the steps out."""
