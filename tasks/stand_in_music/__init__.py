"""Synthesised music: songs, voices and notes that stand in for data sets that are not here."""
