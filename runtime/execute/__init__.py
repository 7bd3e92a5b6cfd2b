"""Execution of a plan: the executor, its threads, and their renewal after a fork."""
