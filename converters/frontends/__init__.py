"""Models in: what a file or a module holds, as a graph and tensors."""
