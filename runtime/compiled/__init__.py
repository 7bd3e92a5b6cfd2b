"""Compiled programs: plans as machine code with their weights. `dcz warm` keeps them; they run without Numba."""
