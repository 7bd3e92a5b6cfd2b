"""Convolutions, by the way that they read their input: tiles, 16 samples side by side, Winograd, as a linear layer."""
