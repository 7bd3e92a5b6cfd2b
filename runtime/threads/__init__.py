"""Threads that share work: a team that runs parts of calls, workers for slices and layers, and what a fork renews."""
