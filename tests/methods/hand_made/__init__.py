"""Tests of `methods/hand_made/`."""
