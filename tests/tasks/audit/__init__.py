"""Tests of `tasks/audit/`."""
