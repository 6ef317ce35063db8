"""Tests of `tasks/stand_in_music/`."""
