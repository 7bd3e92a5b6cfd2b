"""Ahead-of-time compilation: a container as an object file, for programs without Python."""
