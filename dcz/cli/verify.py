"""dcz verify: check a container's checksums and structure, and compare it with the model it came from."""

from __future__ import annotations

import argparse

from ..core.json_text import to_json
from ..core.printable import printable
from ..verification import Verification, verify
from . import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("model", metavar="MODEL.dcz")
    parser.add_argument("--against", metavar="MODEL.pt", help="compare tensors and answers with this model's")
    parser.add_argument("--arch", metavar="NAME", help="architecture of that model, as for dcz convert")
    shape = f"{arguments.SHAPE}; default: the container's"
    parser.add_argument(
        "--input-shape", metavar="[NAME:]C,H,W[:int64]", type=arguments.shape, action="append", help=shape
    )
    parser.add_argument("--key", metavar="NAME", help="which dictionary of that model is the state dict")
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(args: argparse.Namespace) -> int:
    """Print what is wrong; exit code 1 if anything is."""
    result = verify(args.model, args.against, arch=args.arch, input_shape=args.input_shape, key=args.key)
    print(to_json(result.to_json()) if args.json else describe(args.model, result))
    return 0 if result.ok else 1


def describe(model: str, result: Verification) -> str:
    """One line a problem, or one line that says what was found in order."""
    model = printable(model)
    if not result.ok:
        return "\n".join(f"{model}: {printable(problem)}" for problem in result.problems)
    said = f"{model}: ok"
    if result.tensors_equal:
        said += ", tensors equal bit for bit"
    elif result.zero_signs:
        said += f", tensors equal but for the sign of {result.zero_signs:,} zeros"
    if (error := result.max_output_error) is not None:
        said += f", answers within {error:.2g} of the largest"
    return said
