"""The vector operations as Numba intrinsics that emit generic LLVM vector instructions."""
