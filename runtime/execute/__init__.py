"""Running a program: the executor of a plan, and the times of its layers."""
