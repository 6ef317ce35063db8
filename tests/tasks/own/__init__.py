"""Tests of `tasks/own/`."""
