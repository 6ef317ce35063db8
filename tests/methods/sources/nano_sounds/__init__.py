"""Tests of `methods/sources/nano_sounds/`."""
