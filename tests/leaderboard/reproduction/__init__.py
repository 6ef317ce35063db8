"""Tests of `leaderboard/reproduction/`."""
