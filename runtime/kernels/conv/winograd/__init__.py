"""Winograd's algorithm: F(4, 3) and its kind, on dense and on sparse weights."""
