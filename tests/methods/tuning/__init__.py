"""Tests of `methods/tuning/`."""
