"""Kernels: compiled functions, and the packers that lay weights out for them. Which one serves is the planner's say."""
