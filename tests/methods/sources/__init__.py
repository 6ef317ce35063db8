"""Tests of `methods/sources/`."""
