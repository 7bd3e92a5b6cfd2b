"""Kernels of normalisations and reductions."""
