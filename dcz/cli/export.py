"""dcz export: the dense weights back, under the names that they came in with."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..core.printable import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("model", metavar="MODEL.dcz")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="OUT.safetensors or OUT.pt")


def run(args: argparse.Namespace) -> int:
    """Write the dense weights and say how large they are."""
    from ..converters.export import export

    export(args.model, args.output)
    print(f"{printable(args.output)}: {Path(args.output).stat().st_size:,} bytes")
    return 0
