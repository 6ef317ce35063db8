"""Tests of `benchmark/trust/`."""
