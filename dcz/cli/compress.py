"""dcz compress: train, prune, retrain, share and code a network by recipe; goes on where it was stopped."""

from __future__ import annotations

import argparse

from ..core.printable import printable
from . import arguments, text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("--arch", metavar="NAME", required=True, help="a known architecture")
    parser.add_argument(
        "--data", metavar="DIR", required=True, help="MNIST, CIFAR-10, or image folders train/ and test/"
    )
    parser.add_argument("--recipe", metavar="FILE.toml", help="default: the one that dcz brings along for NAME")
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
    from ..converters.training.recipe import load_recipe
    from ..core.output import check_output, with_ending
    from ..dcformat import ConversionError

    check_output(args.output, args.recipe)
    recipe = load_recipe(args.recipe or args.arch)
    if recipe.arch != args.arch:
        what = "the recipe is for another network"
        raise ConversionError(what, path=args.recipe, expected=args.arch, found=recipe.arch)
    work = args.work or with_ending(args.output, ".work")
    done = compress(
        args.data,
        args.output,
        recipe,
        checkpoint=args.checkpoint,
        teacher=args.teacher,
        work=work,
        artefacts=args.artefacts,
        threads=args.threads,
    )
    report = done.to_json()
    if args.json:
        print(text.to_json(report))
        return 0
    columns = {"stage": "stage", "accuracy": "held out", "density": "density", "bits": "bits", "file_bytes": "bytes"}
    columns |= {"ratio": "ratio", "ratio_course": "course", "ratio_paper": "paper"}
    print(text.table(list(columns.values()), ([stage[name] for name in columns] for stage in report["stages"])))
    accuracy, pictures = report["test_accuracy"], report["test_pictures"]
    print(f"\n{printable(report['path'])}: {accuracy:.2%} of {pictures:,} test pictures right, run by dcz")
    return 0
