"""Verify that a container is intact, and equal to the model that it was made from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOLERANCE = 1e-4
"""Greatest difference accepted, relative to the largest answer; float32 sums in another order stay below."""


@dataclass(frozen=True)
class Verification:
    """Result of a check of a container.

    Attributes
    ----------
    problems : list of str
        Problems in words; empty if there are none.
    tensors_equal : bool or None
        Whether the container holds all of the model's tensors, bit for bit. None: compared with no model.
    zero_signs : int
        Number of zeros that differ in sign, if nothing else differs. No problem: ``--positive-zeros`` causes it.
    max_output_error : float or None
        Largest difference between the runtime's and torch's answers, relative to the largest magnitude that torch
        answers. None: compared with no model, or there is no graph to run.
    """

    problems: list[str]
    tensors_equal: bool | None = None
    zero_signs: int = 0
    max_output_error: float | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """As ``dcz verify --json`` prints it."""
        compared = {} if self.tensors_equal is None else {"zero_signs": self.zero_signs}
        return {
            "ok": self.ok,
            "problems": self.problems,
            "tensors_equal": self.tensors_equal,
            **compared,
            "max_output_error": self.max_output_error,
        }


def verify(
    path: str | os.PathLike[str],
    against: Any = None,
    *,
    arch: str | None = None,
    input_shape: Any = None,
    inputs: NDArray[np.float32] | Mapping[str, NDArray[Any]] | None = None,
    key: str | None = None,
) -> Verification:
    """Verify a container: all checksums, all structure, every stream decoded.

    Parameters
    ----------
    path : path
        The container.
    against : torch.nn.Module or path, optional
        The model that it was made from: anything that `dcz.convert` takes. Tensors and answers are compared with its
        own, if the container is sound. Needs torch.
    arch : str, optional
        Architecture of `against`, as for `dcz.convert`.
    input_shape : as for `dcz.convert`, optional
        Shape of one sample for `against`; by default the container's.
    inputs : ndarray of float32, shape ``(N, *input_shape)``, or dict of them by name, optional
        Samples on which the answers are compared; random by default.
    key : str, optional
        Which dictionary of `against` is the state dict, as for `dcz.convert`.

    Returns
    -------
    Verification
        Damage and differences are reported in it, not raised.

    Raises
    ------
    ConversionError
        The model cannot be read.
    OSError
        A file cannot be read.
    """
    from .dcformat import FormatError, open

    try:
        with open(path) as container:
            problems = container.verify()
    except FormatError as damage:  # in the header or the manifest: nothing else can be read
        damage.path = None  # the caller knows the file
        problems = [str(damage)]
    if against is None or problems:
        return Verification(problems)
    from .converters.compare import compare

    found = compare(path, against, arch, input_shape=input_shape, inputs=inputs, key=key)
    problems = list(found.problems)
    if found.max_output_error is not None and not found.max_output_error <= TOLERANCE:
        problems.append(f"answers differ by {found.max_output_error:.2g} of the largest, more than {TOLERANCE:g}")
    return Verification(problems, found.tensors_equal, found.zero_signs, found.max_output_error)
