"""Kernels that compute with words of 16 bits between activations of float32."""
