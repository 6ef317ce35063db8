"""Tests of `methods/training/`."""
