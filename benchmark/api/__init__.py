"""The Python API: run, read, compare and predict from a program or a notebook; `mirbench` exports all of it.

What the command line does beyond reading words is here, too, so that both do the same.
"""
