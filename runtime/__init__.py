"""Sparse CPU inference of containers."""

from .model import Model, Stats, load
from .vision.ranking import Answer, Prediction

__all__ = ["Answer", "Model", "Prediction", "Stats", "load"]
