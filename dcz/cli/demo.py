"""dcz demo: convert a bundled, trained LeNet-5, read ten handwritten digits with it, and check it against torch."""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from importlib.resources import as_file, files
from pathlib import Path

from ..verification import verify
from . import arguments, info
from .outputs.styles import lines
from .verify import describe

CHECKPOINT = "lenet5.pt"
"""LeNet-5 (Caffe's), trained on MNIST, pruned and shared. Beside it ``digits/DIGIT-NUMBER.png`` of MNIST's test set."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("-o", "--output", metavar="FOLDER", help="keep the container here; default: a temporary folder")
    parser.add_argument("--threads", metavar="N", type=arguments.positive, help="threads (default: all cores)")


def run(args: argparse.Namespace) -> int:
    """Run the demo; exit code 1 if an answer differs from torch's."""
    from ..converters.convert import convert
    from ..runtime import load

    start = time.perf_counter()
    with ExitStack() as stack:
        data = stack.enter_context(as_file(files(__package__.rpartition(".")[0]) / "data" / "demo"))
        folder = Path(args.output or stack.enter_context(tempfile.TemporaryDirectory(prefix="dcz-demo-")))
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint, container = data / CHECKPOINT, folder / "lenet5.dcz"

        report = convert(checkpoint, container)
        print(f"$ dcz convert {checkpoint.name} -o {container.name}\n{info.layers(report.info)}\n")
        print(info.totals(report.info))

        images = sorted((data / "digits").iterdir())
        model = load(container, threads=args.threads)
        answers = list(model.classify(images, top=2))
        print(f"\n$ dcz infer {container.name} digits --top 2")
        print("\n".join(lines([(Path(path).name, top) for path, top in answers])))
        right = sum(top[0].label == Path(path).name[0] for path, top in answers)
        print(f"{right} of {len(answers)} right")

        result = verify(container, checkpoint, inputs=model.preprocess(images))
        print(f"\n$ dcz verify {container.name} --against {checkpoint.name}\n{describe(container.name, result)}")
    kept = f"; the container is {container}" if args.output else ""
    print(f"\n{time.perf_counter() - start:.1f} s{kept}")
    return 0 if result.ok else 1
