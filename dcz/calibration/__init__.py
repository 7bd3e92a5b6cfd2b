"""Calibration: from a container in float32 to one that integers can compute, and what that costs."""

from .calibrate import calibrate
from .report import Calibration

__all__ = ["Calibration", "calibrate"]
