"""The planner, from graph to plan: fusion of layers, choice of kernels, memory map."""
