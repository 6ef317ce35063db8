"""Tests of `methods/taggers/`."""
