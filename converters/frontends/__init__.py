"""Front ends: from a file or a module to a graph and tensors (`Source`)."""
