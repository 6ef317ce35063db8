"""Fixtures of runs on record."""

from tests.benchmark.trust.recorded import honest, plan, runs

__all__ = ["honest", "plan", "runs"]
