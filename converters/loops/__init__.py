"""Pruning and weight sharing inside a training loop of the user's own, or without one; public as `dcz.compression`."""
