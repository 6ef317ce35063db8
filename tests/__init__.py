"""Tests: each folder here is of the folder of the same name; what concerns all of it lies beside."""
