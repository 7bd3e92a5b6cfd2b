"""Builders of a plan's steps, a file a family of operators."""
