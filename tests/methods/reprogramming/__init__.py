"""Tests of `methods/reprogramming/`."""
