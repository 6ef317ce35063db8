"""How audio files are laid out: parts that were joined, lengths that headers tell wrongly or not, cuts and damage."""
