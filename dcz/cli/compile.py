"""dcz compile: a model as an object file or a library with a C header, for programs without Python."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..core.printable import printable
from .arguments import PRECISION, PRECISIONS

if TYPE_CHECKING:
    from ..aot.compile import Report

OUTPUT = "model.o: object file; model.a: static library; model.so: shared library; model.wasm: WebAssembly"
TARGET = """x86-64-v2, x86-64-v3, x86-64-v4, x86-64-v4+vnni, aarch64, armv7, riscv64, wasm32 or native: this machine
(default); several levels of x86-64, separated by commas: chosen at run time"""

STREAM = "keep weights coded, and decode each layer's in the arena before it runs: less memory, more time"
LISTED = 3
"""Names in a list of weights."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("model", metavar="MODEL.dcz")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help=OUTPUT)
    parser.add_argument(
        "--header", metavar="FILE.h", help="write the C header that declares and explains its functions"
    )
    parser.add_argument("--target", metavar="NAME", default="native", help=TARGET)
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help=PRECISION)
    parser.add_argument("--batch", metavar="N", type=int, default=1, help="samples a call (default: 1)")
    parser.add_argument("--prefix", metavar="TEXT", default="dcz_", help="of all names in C (default: dcz_)")
    parser.add_argument("--stream-weights", action="store_true", help=STREAM)
    parser.add_argument("--report", action="store_true", help="say what takes memory")


def run(args: argparse.Namespace) -> int:
    """Write the files and say how large the result is."""
    from ..aot.compile import compile_model

    files = args.model, args.output, args.header
    report = compile_model(*files, args.target, args.batch, args.prefix, args.precision, args.stream_weights)
    print(f"{printable(report.output)}: {report.file_bytes:,} bytes, for {report.target}")
    if report.streamed is not None and report.streamed.unpacked:
        print(_unpacked(report.streamed.unpacked))
    if args.report:
        print("\n".join(_lines(report)))
    return 0


def _lines(report: Report) -> list[str]:
    rest = report.file_bytes - report.constant_bytes
    layer = f"{report.largest_bytes:,} bytes of weights, {printable(report.largest_layer)}"
    packed, buffer, streamed = "packed", "", report.streamed
    if streamed is not None:
        packed = f"of which {streamed.coded_bytes:,} are coded, {streamed.packed_bytes:,} when packed"
        buffer = f", of which {streamed.buffer_bytes:,} are for decoding"
    rows = {
        "flash": f"{report.file_bytes:,} bytes: weights and code",
        "weights": f"{report.constant_bytes:,} bytes, {packed}, with their tables",
        "code": f"{rest:,} bytes: {report.kernels} kernels, their calls, names and the file's own tables",
        "arena": f"{report.arena_bytes:,} bytes of memory for a call of {report.batch}{buffer}",
        "peak": f"{report.peak_bytes:,} bytes of memory: arena, inputs and outputs, without the stack",
        "largest layer": layer,
    }
    return [f"  {name:<14}{text}" for name, text in rows.items()]


def _unpacked(weights: Mapping[str, int]) -> str:
    """A line that tells which weights are stored unpacked, the largest first."""
    order = sorted(weights, key=lambda name: -weights[name])
    shown = [f"{printable(name)} ({weights[name]:,} bytes)" for name in order[:LISTED]]
    more = f" and {len(order) - LISTED} more" if len(order) > LISTED else ""
    return f"stored unpacked, as coding would not make them smaller: {', '.join(shown)}{more}"
