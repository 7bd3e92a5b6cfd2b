"""Pooling: of one sample at a time, and of 16 side by side."""
