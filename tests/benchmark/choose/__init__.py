"""Tests of `mirbench choose`."""
