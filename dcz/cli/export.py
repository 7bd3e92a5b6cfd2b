"""dcz export: the dense weights back, under the names that they came in with, or the whole network."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..core.printable import printable

OUTPUTS = "weights: OUT.safetensors or OUT.pt; the network: OUT.onnx or OUT.pt2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("model", metavar="MODEL.dcz")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help=OUTPUTS)
    sparse = "in .onnx, tensors as sparse initializers where that is smaller"
    parser.add_argument("--sparse", action="store_true", help=sparse)


def run(args: argparse.Namespace) -> int:
    """Write the file and say how large it is."""
    from ..converters.export import export

    export(args.model, args.output, sparse=args.sparse)
    print(f"{printable(args.output)}: {Path(args.output).stat().st_size:,} bytes")
    return 0
