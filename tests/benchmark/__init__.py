"""Tests of `benchmark/`."""
