"""Kernels of layers on 8-bit integers: activations are planes of bytes (`planes`), weights int8, sums int32."""
