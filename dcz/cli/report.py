"""dcz report: one self-contained page about a container, for any browser, offline."""

from __future__ import annotations

import argparse

from . import text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("model", metavar="MODEL.dcz")
    parser.add_argument("-o", "--output", metavar="OUT.html", help="default: MODEL with the ending .html")
    parser.add_argument("--against", metavar="MODEL.pt", help="show the weights before sharing too; needs torch")
    parser.add_argument("--arch", metavar="NAME", help="architecture of that model, as for dcz convert")
    parser.add_argument("--bench", metavar="FILE.json", help="times of layers, from: dcz bench --layers --json")


def run(args: argparse.Namespace) -> int:
    """Write the page, and say where and how large it is."""
    from pathlib import Path

    from ..dcformat import open as open_container
    from ..dcformat.writer import replacing
    from ..report import collect, load_checkpoint, read_bench, render

    output = Path(args.output) if args.output else Path(args.model).with_suffix(".html")
    with open_container(args.model) as container:
        names = set(container.entries)
    times = read_bench(args.bench, names) if args.bench else None
    checkpoint = load_checkpoint(args.against, args.arch, args.model) if args.against else None
    facts = collect(
        args.model, checkpoint, times, lambda names, total: text.progress(names, args, "tensor", total=total)
    )
    page = render(facts).encode()
    with replacing(output) as file:
        file.write(page)
    print(f"{output}: {len(page):,} bytes")
    return 0
