"""Printed results beside ours: what is printed, what answers it, our number of it, and a verdict."""
