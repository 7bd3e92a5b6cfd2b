"""Fully connected layers, by the form of their weights."""
