"""dcz convert: a checkpoint becomes a container, lossless unless --prune or --bits is given."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..core.garbage import exempt, uncollected
from ..core.json_text import to_json
from ..core.printable import printable
from . import arguments, info

if TYPE_CHECKING:
    from ..converters import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    kinds = ".pt, .pth, .th, .safetensors, .pt2, .onnx, Song Han's .net, .dcz, a folder of course artefacts"
    parser.add_argument("model", metavar="MODEL", help=kinds)
    parser.add_argument("-o", "--output", metavar="OUT.dcz", help="default: MODEL with the ending .dcz")
    parser.add_argument(
        "--arch",
        metavar="NAME",
        help="a known architecture, torchvision:NAME, timm:NAME or pkg.module:factory; default: recognised",
    )
    parser.add_argument(
        "--input-shape", metavar="[NAME:]C,H,W[:int64]", type=arguments.shape, action="append", help=arguments.SHAPE
    )
    parser.add_argument("--key", metavar="NAME", help="which dictionary of a checkpoint is the state dict")
    thresholds = "std:S drops |w| <= S std(w), percent:Q the smallest Q %%"
    parser.add_argument("--prune", metavar="RULE", type=arguments.prune, help=thresholds)
    sharing = "share weights: 2^B values a tensor; or conv=8,fc=5"
    parser.add_argument("--bits", metavar="B", type=arguments.bits, help=sharing)
    parser.add_argument(
        "--init",
        choices=("linear", "density", "random", "kmeans++"),
        default="linear",
        help="where k-means starts (%(default)s)",
    )
    methods = (
        "how the shared values are found; sklearn: scikit-learn's k-means; exact: the optimum, slower; grid: evenly "
        "spaced values, more than 2^B, of the same error where that takes fewer bytes (%(default)s)"
    )
    parser.add_argument("--method", choices=("kmeans", "sklearn", "exact", "grid"), default="kmeans", help=methods)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="for the random starts (%(default)s)")
    parser.add_argument(
        "--positive-zeros", action="store_true", help="make the negative zeros that a mask leaves plain zeros"
    )
    partial = "go on where numbers of the model, or the graph of an .onnx file, cannot go into the container"
    parser.add_argument("--partial", action="store_true", help=partial)
    codecs = (
        "default takes the fewest bytes that decode fast; smallest takes the fewest, for downloads, and decodes slowly;"
        " huffman gives files that dcz 0.2 reads, but for operators that it lacks"
    )
    names = ("default", "smallest", "huffman")
    parser.add_argument("--codec", choices=names, default="default", help=f"{codecs} (%(default)s)")
    parser.add_argument("--preprocess", metavar="NAME", help="cifar10, imagenet, mnist or a JSON file")
    parser.add_argument("--labels", metavar="FILE", help="names of the classes, one a line or a JSON list")
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(args: argparse.Namespace) -> int:
    """Convert, and print what became of each tensor."""
    with uncollected(for_good=True):
        from ..converters import convert

    done = convert(
        args.model,
        args.output,
        arch=args.arch,
        input_shape=args.input_shape,
        key=args.key,
        prune=args.prune,
        bits=args.bits,
        init=args.init,
        method=args.method,
        seed=args.seed,
        positive_zeros=args.positive_zeros,
        partial=args.partial,
        preprocess=args.preprocess,
        labels=args.labels,
        codec=args.codec,
    )
    report = done.to_json()
    if args.json:
        print(to_json(report))
    else:
        print(info.layers(report, ("max_error", "rms_error") if done.errors else (), args.verbose))
        print()
        print(info.totals(report))
        print(f"{printable(done.path)}: {_verdict(done)}")
    exempt()
    return 0


def _verdict(done: Report) -> str:
    if done.lost:
        return f"not the whole model: {sum(done.lost.values()):,} numbers are left out"
    if done.lossless:
        return "lossless"
    if all(error.max_error == 0 for error in done.errors.values()):
        return "equal to the model, but for the sign of its zeros"
    return "lossy, as asked: errors above"
