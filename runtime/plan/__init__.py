"""From a graph to a plan: which layers run together, by which kernels, in what memory."""
