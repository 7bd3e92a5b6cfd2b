"""Sparse CPU inference of containers."""
