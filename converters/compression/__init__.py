"""Compression of tensors: pruning, clustering and weight sharing. Numbers in, numbers out."""
