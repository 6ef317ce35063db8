"""Tests of `benchmark/features/`."""
