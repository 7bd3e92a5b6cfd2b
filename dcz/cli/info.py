"""dcz info: what a container holds, layer by layer, and what it costs."""

from __future__ import annotations

import argparse
from typing import Any

from ..core.json_text import to_json
from ..core.printable import printable
from ..core.ranges import is_url
from . import text

BYTE_PARTS = ("codebook", "tables", "gaps", "symbols", "values")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("model", metavar="MODEL.dcz", help="a path, or an address (https://...) that fsspec knows")
    parser.add_argument(
        "--manifest", action="store_true", help="read the manifest alone, some kilobytes; the rule for an address"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(args: argparse.Namespace) -> int:
    """Print the description of a container."""
    from ..dcformat import open as open_container

    alone = args.manifest or is_url(args.model)
    with open_container(args.model) as container:
        info = container.outline() if alone else container.info()
    if args.json:
        print(to_json(info))
    else:
        print(outline(args.model, info) if alone else describe(args.model, info, args.verbose))
    return 0


def outline(path: str, info: dict[str, Any]) -> str:
    """Lay out what `Container.outline` gives as text: head, table of tensors, size."""
    rows = [
        (tensor["name"], text.shape(tensor["shape"]), tensor["dtype"], tensor["encoding"]) for tensor in info["tensors"]
    ]
    return "\n".join(
        (head(path, info), "", text.table(("tensor", "shape", "type", "encoding"), rows, left=4), "", *size(info))
    )


def describe(path: str, info: dict[str, Any], verbose: bool = False) -> str:
    """Lay out what `Container.info` gives as text: head, table of tensors, totals."""
    return "\n".join((head(path, info), "", layers(info, verbose=verbose), "", totals(info)))


def head(path: str, info: dict[str, Any]) -> str:
    """A line about the file."""
    graph = f"{text.shape(info['input_shape'])} in, {info['nodes']} nodes" if info["input_shape"] else "weights only"
    return f"{printable(path)}: format {info['format_version']}, {graph}"


def layers(info: dict[str, Any], extra: tuple[str, ...] = (), verbose: bool = False) -> str:
    """One line a tensor; biases and normalisation together on one, unless `verbose`.

    Parameters
    ----------
    info : dict
        What `Container.info` or `Report.to_json` gives.
    extra : tuple of str
        Further keys of the tensors' entries to show as columns.
    verbose : bool
    """
    header = ("tensor", "shape", "encoding", "density", "codes", "gap bits", "bits/symbol", "bits/gap", *BYTE_PARTS)
    rows: list[list[object]] = []
    small = []
    for tensor in info["tensors"]:
        if len(tensor["shape"]) < 2 and not verbose:
            small.append(tensor)
            continue
        keys = ("density", "codebook_size", "gap_bits", "bits_per_symbol", "bits_per_gap")
        row = [tensor["name"], text.shape(tensor["shape"]), tensor["encoding"], *(tensor[key] for key in keys)]
        rows.append([*row, *(tensor["bytes"][part] for part in BYTE_PARTS), *(tensor[key] for key in extra)])
    if small:
        row = [f"{len(small)} vectors and scalars", "", "exact", *(None,) * 5]
        sums = (sum(tensor["bytes"][part] for tensor in small) for part in BYTE_PARTS)
        rows.append([*row, *sums, *(max(tensor[key] for tensor in small) for key in extra)])
    return text.table((*header, *(key.replace("_", " ") for key in extra)), rows, left=3)


def totals(info: dict[str, Any]) -> str:
    """Bytes by part, and three ratios: of the real file, by the course formula, by the paper's formula."""
    parts = ", ".join(f"{name} {count:,}" for name, count in info["bytes"].items())
    lines = [f"bytes    {parts}", *size(info)]
    if info["dense_bytes"] and info["ratio_course"] is not None:
        lines[-1] += f"; by the course formula {info['ratio_course']:.2f}, by the paper's {info['ratio_paper']:.2f}"
    if info["dense_bytes"] and info["tied"]:
        names = ", ".join(printable(f"{name} is {stored}") for name, stored in info["tied"].items())
        lines.insert(0, f"tied     {names}")
    return "\n".join(lines)


def size(info: dict[str, Any]) -> list[str]:
    """Lines about the bytes of the file, and the ratio to fp32."""
    file, dense = info["file_bytes"], info["dense_bytes"]
    if not dense:
        return [f"file     {file:,} bytes, without a weight"]
    ratio = f"ratio    {info['ratio']:.2f} (fp32 bytes / file bytes)"
    if file > dense:
        ratio += ": the file is larger than its weights in fp32"
    return [f"file     {file:,} of {dense:,} bytes in fp32", ratio]
