"""The vector operations in NumPy: what each means, and what runs with NUMBA_DISABLE_JIT=1."""
