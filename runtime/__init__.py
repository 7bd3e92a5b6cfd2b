"""Sparse CPU inference of containers."""

from .model import Model, Prediction, Stats, load

__all__ = ["Model", "Prediction", "Stats", "load"]
