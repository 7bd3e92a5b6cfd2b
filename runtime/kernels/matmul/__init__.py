"""Kernels of products of two values, and of attention."""
