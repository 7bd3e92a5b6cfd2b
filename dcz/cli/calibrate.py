"""dcz calibrate: find the ranges of a network's values for some images, so that 8-bit integers can compute it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..core.json_text import to_json
from ..core.printable import printable
from . import text
from .arguments import positive

if TYPE_CHECKING:
    from ..calibration.sensitivity import Sensitivity

BUDGET = "leave in fp32 what integers harm most, until at most this percentage of the images gets another top answer"
RANGES = "max: all that was seen; p99.99: without the outermost numbers; mse: least squared error (default)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("model", metavar="MODEL.dcz")
    parser.add_argument(
        "paths", metavar="IMAGES", nargs="+", help="some hundred images, .npy arrays of inputs, or folders of them"
    )
    parser.add_argument("-o", "--output", metavar="OUT.dcz", required=True, help="the container with ranges")
    parser.add_argument("--ranges", metavar="RULE", default="mse", help=RANGES)
    parser.add_argument("--correct-bias", action="store_true", help="add the mean error of each channel to its bias")
    parser.add_argument("--budget", metavar="POINTS", type=float, help=BUDGET)
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of what ranges are estimated from")
    parser.add_argument("--threads", metavar="N", type=positive, help="default: all cores")
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(args: argparse.Namespace) -> int:
    """Write the container, and print what integers change, layer by layer."""
    from ..calibration import calibrate
    from ..core.output import check_output
    from ..runtime.vision.find import find

    paths = list(find(args.paths))
    check_output(args.output, args.model, *paths)
    options = {name: getattr(args, name) for name in ("ranges", "correct_bias", "budget", "seed", "threads")}
    done = calibrate(args.model, paths, args.output, **options)
    if args.json:
        print(to_json(done.to_json()))
        return 0
    if done.scanned:
        header = "layer alone in integers", "rms error of the answers", "answers as in fp32", "computed in"
        print(text.table(header, map(_scanned, done.scanned)) + "\n")
    print(text.table(("layer in integers", "rms error"), done.layers))
    print(
        f"\n{printable(done.path)}: ranges of {done.images:,} images; on {done.compared.images:,} of them "
        f"an rms error of {done.answer_error:.3g}, and the answer of fp32 for {done.agreement:.1%}"
    )
    return 0


def _scanned(layer: Sensitivity) -> tuple[str, float, str, str]:
    return layer.weight, layer.answer_error, f"{layer.agreement:.1%}", "integers" if layer.integer else "fp32"
