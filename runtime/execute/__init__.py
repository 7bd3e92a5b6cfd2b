"""Running a plan: the executor, its threads, and what a fork makes anew."""
