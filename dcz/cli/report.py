"""dcz report: one self-contained page about a container, for any browser, offline; or a model card."""

from __future__ import annotations

import argparse

from ..core.printable import printable
from .arguments import PRECISION, PRECISIONS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("model", metavar="MODEL.dcz")
    parser.add_argument("-o", "--output", metavar="OUT.html", help="default: MODEL with the ending .html or .md")
    parser.add_argument("--against", metavar="MODEL.pt", help="show the weights before sharing too; needs torch")
    parser.add_argument("--arch", metavar="NAME", help="architecture of that model, as for dcz convert")
    parser.add_argument("--card", action="store_true", help="write a model card in Markdown, as the Hub shows it")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help=PRECISION)
    times = parser.add_mutually_exclusive_group()
    times.add_argument("--time", action="store_true", help="time each layer, as stored and dense, and show the times")
    times.add_argument("--bench", metavar="FILE.json", help="show the times that dcz bench --layers --json wrote")


def run(args: argparse.Namespace) -> int:
    """Write the page, and say where it is and how large."""
    from ..dcformat import InputError
    from ..reporting import card, report

    if args.card:
        if args.against or args.arch or args.time or args.bench:
            raise InputError("a card shows neither weights nor times", hint="leave out --card, or the other flags")
        page = card(args.model, args.output)
    else:
        measured = {"time": args.time, "bench": args.bench, "precision": args.precision}
        page = report(args.model, args.output, against=args.against, arch=args.arch, **measured)
    print(f"{printable(page)}: {page.stat().st_size:,} bytes")
    return 0
