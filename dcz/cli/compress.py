"""dcz compress: train, prune, retrain, share and code a network by recipe; goes on where it was stopped."""

from __future__ import annotations

import argparse

from ..core.errors import InputError
from ..core.json_text import to_json
from ..core.printable import printable
from . import arguments, text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    network = parser.add_mutually_exclusive_group(required=True)
    network.add_argument("model", metavar="MODEL.pt2", nargs="?", help="a program of torch.export, with its weights")
    network.add_argument("--arch", metavar="NAME", help="a known architecture, or pkg.module:factory")
    parser.add_argument("--input-shape", metavar="C,H,W", type=arguments.picture_shape, help="of a factory: 3,32,32")
    shown = "cifar10, imagenet, mnist or a JSON file; default for a factory: measured on the training pictures"
    parser.add_argument("--preprocess", metavar="NAME", help=shown)
    parser.add_argument(
        "--data", metavar="DIR", required=True, help="MNIST, CIFAR-10, or image folders train/ and test/"
    )
    parser.add_argument("--recipe", metavar="FILE.toml", help="default: the one for NAME, or a proposed one")
    parser.add_argument("--max-drop", metavar="PERCENT", type=float, help="accuracy a proposed recipe may lose (0.5)")
    parser.add_argument("--target-ratio", metavar="R", type=float, help="ratio a proposed recipe aims at (25)")
    parser.add_argument("-o", "--output", metavar="OUT.dcz", required=True)
    parser.add_argument("--checkpoint", metavar="FILE", help="dense weights to start from; skips the recipe's training")
    parser.add_argument("--teacher", metavar="FILE", help="a checkpoint to distill from; default: the dense network")
    parser.add_argument("--work", metavar="DIR", help="checkpoints and the network of each stage; default: OUT.work")
    parser.add_argument("--artefacts", metavar="DIR", help="also write networks, codebooks and codes as plain arrays")
    parser.add_argument("--threads", metavar="N", type=arguments.positive, help="default: all cores")
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(args: argparse.Namespace) -> int:
    """Run the recipe, and print what each stage made."""
    from ..converters.training.pipeline import compress
    from ..core.output import check_output, with_ending

    if args.model is not None and not args.model.endswith(".pt2"):
        hint = "name its network by --arch, and the weights by --checkpoint"
        raise InputError("not a program of torch.export", path=args.model, expected="MODEL.pt2", hint=hint)
    check_output(args.output, args.recipe)
    work = args.work or with_ending(args.output, ".work")
    wanted = {} if args.max_drop is None else {"max_drop": args.max_drop / 100}
    if args.target_ratio is not None:
        wanted["target_ratio"] = args.target_ratio
    done = compress(
        args.data,
        args.output,
        args.recipe,
        arch=args.model or args.arch,
        input_shape=args.input_shape,
        preprocess=args.preprocess,
        checkpoint=args.checkpoint,
        teacher=args.teacher,
        work=work,
        artefacts=args.artefacts,
        threads=args.threads,
        **wanted,
    )
    report = done.to_json()
    if args.json:
        print(to_json(report))
        return 0
    columns = {"stage": "stage", "accuracy": "held out", "density": "density", "bits": "bits", "file_bytes": "bytes"}
    columns |= {"ratio": "ratio", "ratio_course": "course", "ratio_paper": "paper"}
    print(text.table(list(columns.values()), ([stage[name] for name in columns] for stage in report["stages"])))
    accuracy, pictures = report["test_accuracy"], report["test_pictures"]
    print(f"\n{printable(report['path'])}: {accuracy:.2%} of {pictures:,} test pictures right, run by dcz")
    return 0
