"""Tests of `benchmark/runs/`."""
