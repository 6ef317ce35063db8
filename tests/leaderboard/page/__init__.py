"""Tests of `leaderboard/page/`."""
