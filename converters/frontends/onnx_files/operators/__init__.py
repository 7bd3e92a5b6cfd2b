"""Operators of ONNX (domain ``ai.onnx``) as calls of torch: one file a family.

Versions of an operator differ in little: an attribute that became an input, a default. One function covers them all.
To add an operator: a function with ``@translates(...)``.
"""

from __future__ import annotations

from . import (
    activations,
    arithmetic,
    layers,
    normalization,
    pooling,
    positions,
    quantized,
    recurrent,
    resizing,
    shapes,
)
from .table import TRANSLATIONS

__all__ = ["FAMILIES", "TRANSLATIONS"]

FAMILIES = (
    activations,
    arithmetic,
    layers,
    normalization,
    pooling,
    positions,
    quantized,
    recurrent,
    resizing,
    shapes,
)
"""Importing them fills the table."""
