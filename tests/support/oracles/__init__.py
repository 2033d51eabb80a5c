"""The usual recipes, computed independently, and how near a result must come to them."""
