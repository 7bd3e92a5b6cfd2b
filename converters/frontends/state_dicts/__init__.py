"""Checkpoints: what they hold, and the network that their keys and shapes belong to."""
