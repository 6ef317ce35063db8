"""The music taggers: their layers, their networks, and the recipes that train them."""
