"""Benchmarks that print ratios of two things measured side by side: `pytest -m perf -s -n 0`."""
