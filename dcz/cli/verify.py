"""dcz verify: check a container's checksums and structure, and compare it with the model it came from."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..core.printable import printable
from . import arguments, text

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
    shape = "shape of one sample, 3,32,32; default: the container's"
    parser.add_argument("--input-shape", metavar="C,H,W", type=arguments.shape, help=shape)
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(args: argparse.Namespace) -> int:
    """Print what is wrong; exit code 1 if anything is."""
    result = check(args.model, args.against, args.arch, args.input_shape)
    print(text.to_json(result) if args.json else describe(args.model, result))
    return 0 if result["ok"] else 1


def check(
    model: str,
    against: str | None = None,
    arch: str | None = None,
    input_shape: tuple[int, ...] | None = None,
    inputs: NDArray[np.float32] | None = None,
) -> dict[str, Any]:
    """Verify a container, and compare it with the model `against` if it is sound.

    Parameters
    ----------
    model, against : str
        Paths.
    arch : str, optional
        Architecture of `against`; by default recognised.
    input_shape : tuple of int, optional
        Shape of one sample; by default the container's.
    inputs : ndarray of float32, shape (N, *input_shape), optional
        Samples on which the answers are compared; random by default.

    Returns
    -------
    dict
        ``ok``, ``problems``, ``tensors_equal``, ``max_output_error``; the last two are None where nothing was compared.
        After a comparison ``zero_signs`` too: how many zeros differ, in sign alone, where nothing else does.
    """
    from ..dcformat import FormatError
    from ..dcformat import open as open_container

    try:
        with open_container(model) as container:
            problems = container.verify()
    except FormatError as damage:  # of the header or the manifest, without which nothing else can be read
        damage.path = None  # `describe` names the file
        problems = [str(damage)]
    compared: dict[str, Any] = {"tensors_equal": None, "max_output_error": None}
    if against is not None and not problems:
        from ..converters.compare import compare

        comparison = compare(model, against, arch, input_shape=input_shape, inputs=inputs)
        problems, error = comparison.problems, comparison.max_output_error
        compared = {
            "tensors_equal": comparison.tensors_equal,
            "zero_signs": comparison.zero_signs,
            "max_output_error": error,
        }
        if error is not None and not error <= TOLERANCE:
            problems.append(f"answers differ by {error:.2g} of the largest, more than {TOLERANCE:g}")
    return {"ok": not problems, "problems": problems, **compared}


def describe(model: str, result: dict[str, Any]) -> str:
    """One line a problem, or one line that says what was found in order."""
    model = printable(model)
    if problems := result["problems"]:
        return "\n".join(f"{model}: {printable(problem)}" for problem in problems)
    said = f"{model}: ok"
    if result["tensors_equal"]:
        said += ", tensors equal bit for bit"
    elif signs := result.get("zero_signs"):
        said += f", tensors equal but for the sign of {signs:,} zeros"
    if (error := result["max_output_error"]) is not None:
        said += f", answers within {error:.2g} of the largest"
    return said
