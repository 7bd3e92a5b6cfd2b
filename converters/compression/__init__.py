"""Pruning, retraining, weight sharing and trained quantization: from a dense network to one worth coding."""
