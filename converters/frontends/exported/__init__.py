"""Modules and exported programs: traced, folded and lowered to a graph."""
