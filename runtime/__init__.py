"""Sparse CPU inference of containers."""

from .model import Model, Stats, load
from .vision.ranking import Prediction

__all__ = ["Model", "Prediction", "Stats", "load"]
