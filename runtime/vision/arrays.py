"""Inputs that are arrays already."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...dcformat import InputError


def as_array(content: ArrayLike) -> NDArray[Any]:
    """Convert an array-like object to an array.

    Raises
    ------
    InputError
        Nested lists differ in length.
    """
    try:
        return np.asarray(content)
    except ValueError as error:
        raise InputError(f"not an array: {error}") from None
