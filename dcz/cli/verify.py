"""dcz verify: check a container's checksums and structure, and compare it with the model it came from."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..printable import printable
from . import text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOLERANCE = 1e-4
"""Largest difference of the answers, relative to the largest magnitude: float32 sums in another order stay below."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("model", metavar="MODEL.dcz")
    parser.add_argument("--against", metavar="MODEL.pt", help="compare tensors and answers with this model's")
    parser.add_argument("--arch", metavar="NAME", help="architecture of that model, as for dcz convert")
    parser.add_argument("--key", metavar="NAME", help="which dictionary of that model is the state dict")
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(args: argparse.Namespace) -> int:
    """Print what is wrong; exit code 1 if anything is."""
    result = check(args.model, args.against, args.arch, key=args.key)
    print(text.to_json(result) if args.json else describe(args.model, result))
    return 0 if result["ok"] else 1


def check(
    model: str,
    against: str | None = None,
    arch: str | None = None,
    inputs: NDArray[np.float32] | None = None,
    *,
    key: str | None = None,
) -> dict[str, Any]:
    """Verify a container, and compare it with the model `against` if it is sound.

    Parameters
    ----------
    model, against : str
        Paths.
    arch : str, optional
        Architecture of `against`; by default recognised.
    inputs : ndarray of float32, shape (N, *input_shape), optional
        Samples on which the answers are compared; random by default.
    key : str, optional
        Which dictionary of `against` is the state dict.

    Returns
    -------
    dict
        ``ok``, ``problems``, ``tensors_equal``, ``max_output_error``; the last two are None where nothing was compared.
    """
    from ..dcformat import FormatError
    from ..dcformat import open as open_container

    try:
        with open_container(model) as container:
            problems = container.verify()
    except FormatError as damage:  # of the header or the manifest, without which nothing else can be read
        damage.path = None  # `describe` names the file
        problems = [str(damage)]
    tensors_equal = max_output_error = None
    if against is not None and not problems:
        from ..converters.compare import compare

        comparison = compare(model, against, arch, inputs=inputs, key=key)
        problems = comparison.problems
        tensors_equal, max_output_error = comparison.tensors_equal, comparison.max_output_error
        if max_output_error is not None and not max_output_error <= TOLERANCE:
            problems.append(f"answers differ by {max_output_error:.2g} of the largest, more than {TOLERANCE:g}")
    return {
        "ok": not problems,
        "problems": problems,
        "tensors_equal": tensors_equal,
        "max_output_error": max_output_error,
    }


def describe(model: str, result: dict[str, Any]) -> str:
    """One line a problem, or one line that says what was found in order."""
    model = printable(model)
    if problems := result["problems"]:
        return "\n".join(f"{model}: {printable(problem)}" for problem in problems)
    said = f"{model}: ok"
    if result["tensors_equal"]:
        said += ", tensors equal bit for bit"
    if (error := result["max_output_error"]) is not None:
        said += f", answers within {error:.2g} of the largest"
    return said
