"""Tests of `benchmark/cli/`."""
