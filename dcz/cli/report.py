"""dcz report: one self-contained page about a container, for any browser, offline."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.printable import printable

if TYPE_CHECKING:
    from ..report import LayerTimes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("model", metavar="MODEL.dcz")
    parser.add_argument("-o", "--output", metavar="OUT.html", help="default: MODEL with the ending .html")
    parser.add_argument("--against", metavar="MODEL.pt", help="show the weights before sharing too; needs torch")
    parser.add_argument("--arch", metavar="NAME", help="architecture of that model, as for dcz convert")
    times = parser.add_mutually_exclusive_group()
    times.add_argument("--time", action="store_true", help="time each layer, as stored and dense, and show the times")
    times.add_argument("--bench", metavar="FILE.json", help="show the times that dcz bench --layers --json wrote")


def run(args: argparse.Namespace) -> int:
    """Write the page, and say where it is and how large."""
    from ..core.output import check_output, replacing, with_ending
    from ..report import collect, load_checkpoint, render

    output = Path(args.output) if args.output else with_ending(args.model, ".html")
    check_output(output, args.model, args.against, args.bench)
    checkpoint = load_checkpoint(args.against, args.arch, args.model) if args.against else None
    page = render(collect(args.model, checkpoint, _times(args)))
    content = page.encode()
    with replacing(output) as file:
        file.write(content)
    print(f"{printable(output)}: {len(content):,} bytes")
    return 0


def _times(args: argparse.Namespace) -> LayerTimes | None:
    from dataclasses import replace

    from ..dcformat import open as open_container
    from ..report import measure, read_bench
    from .machine import facts

    if args.bench:
        with open_container(args.model) as container:
            return read_bench(args.bench, container.entries)
    if not args.time:
        return None
    times = measure(args.model)
    return replace(times, conditions=f"{times.conditions}; {facts()['cpu']}")
