"""Convolutions of 16 samples, one in each lane of a vector."""
