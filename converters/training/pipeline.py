"""Run a recipe: train, prune, retrain, share, fine-tune, code. Each stage is measured in bytes of a real file."""

from __future__ import annotations

import copy
import logging
import os
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ...core.errors import ConversionError, InputError
from ...core.output import check_output, files_among, make_folder, replacing
from ...runtime import load
from ..architectures import ARCHITECTURES, Architecture
from .artefacts import write_artefacts
from .checkpoints import digest, load_checkpoint, load_network
from .constraints import prunable
from .data.batches import ordered_batches
from .data.datasets import Dataset, Split, load_dataset
from .data.image_folders import some
from .recipe import VALIDATION, Recipe, load_recipe
from .report import CompressionReport, write_report
from .stages import Run
from .starting import start_whitened

log = logging.getLogger(__name__)


def compress(
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    recipe: Recipe | str | os.PathLike[str],
    *,
    checkpoint: str | os.PathLike[str] | None = None,
    teacher: nn.Module | str | os.PathLike[str] | None = None,
    work: str | os.PathLike[str] | None = None,
    artefacts: str | os.PathLike[str] | None = None,
    threads: int | None = None,
) -> CompressionReport:
    """Run a recipe and write the container, with ``OUT.report.json`` and ``OUT.report.csv`` beside it.

    Parameters
    ----------
    data : path
        Folder of the data set.
    out : path
        The container; replaced when the new one is complete.
    recipe : Recipe, path or str
        A recipe, its file, or the name of a bundled one.
    checkpoint : path, optional
        Initial weights. Leading "train" stages are then skipped, unless they regrow a pruned network.
    teacher : nn.Module or path, optional
        Teacher for stages with distillation: a network, or a checkpoint of a known architecture with the same input. By
        default the network before the first such stage, usually the dense one.
    work : path, optional
        Folder for checkpoints and the state dict of each stage, from which an interrupted run resumes.
    artefacts : path, optional
        Folder for networks, codebooks and codes in the form of course works (`artefacts.write_artefacts`).
    threads : int, optional
        Threads of torch, for the whole process; by default unchanged.

    Raises
    ------
    ConversionError
        The recipe does not fit the network, the checkpoint belongs to another network, or the loss is not finite.
    InputError
        The folder holds no known data set, or one that does not fit the network; or `out` is one of the files read.
    OSError
        `out`, `work` or `artefacts` cannot be written to.
    """
    check_output(out, checkpoint, teacher if not isinstance(teacher, nn.Module) else None, *files_among(recipe))
    recipe = recipe if isinstance(recipe, Recipe) else load_recipe(os.fspath(recipe))
    if recipe.arch not in ARCHITECTURES:
        raise ConversionError("unknown architecture", expected=", ".join(ARCHITECTURES), found=repr(recipe.arch))
    architecture = ARCHITECTURES[recipe.arch]
    torch.manual_seed(recipe.seed)
    if threads is not None:
        torch.set_num_threads(threads)
    model = architecture.factory()
    for stage in recipe.stages:
        stage.check_layers(list(prunable(model)))
    stages = list(enumerate(recipe.stages, 1))
    given = None
    if checkpoint is not None:
        load_checkpoint(model, recipe.arch, checkpoint)
        given = copy.deepcopy(model)
        while stages and stages[0][1].do == "train" and not stages[0][1].regrow:
            stages.pop(0)
    if not stages:
        raise ConversionError("the recipe has nothing left to do", hint="with a checkpoint, train stages are skipped")
    preprocess = architecture.preprocess
    assert preprocess is not None
    if teacher is not None and not isinstance(teacher, nn.Module):
        teacher = load_network(teacher, architecture)
    dataset = load_dataset(os.fspath(data), preprocess)
    try:
        classes = _check_fit(model, dataset, architecture)
    except InputError as error:
        raise error.at(data) from None
    architecture = replace(architecture, labels=_labels(dataset, architecture, classes))
    if checkpoint is None and recipe.start == "whitened":
        start_whitened(model, dataset.train, preprocess)
    for folder in (work, artefacts):
        if folder is not None:
            make_folder(folder)
    pictures = len(dataset.train)
    if (held_out := recipe.held_out(pictures)) not in (recipe.validation, VALIDATION):
        log.info("%d of %d training pictures are held out to choose by", held_out, pictures)
    origin = [recipe.arch, recipe.seed, held_out, recipe.start, dataset.name, pictures]
    origin += [None if network is None else digest(network.state_dict()) for network in (given, teacher)]
    trial = Path(out).with_name(f".{Path(out).name}.trial")  # the container of the last stage
    run = Run(architecture, recipe, dataset, Path(work) if work is not None else None, trial, teacher, origin)
    try:
        reports = [run.stage(number, stage, model) for number, stage in stages]
        if artefacts is not None:
            write_artefacts(Path(artefacts), recipe.arch, run.networks, model)
        accuracy = runtime_accuracy(trial, dataset.test, architecture)
        with replacing(out) as file:
            file.write(trial.read_bytes())
    finally:
        trial.unlink(missing_ok=True)
    report = CompressionReport(recipe.arch, os.fspath(out), accuracy, len(dataset.test), reports)
    write_report(report, Path(out))
    return report


@torch.no_grad()
def _check_fit(model: nn.Module, dataset: Dataset, architecture: Architecture) -> int:
    """Count the network's classes; raise InputError if the data set's images or classes do not fit it."""
    assert architecture.preprocess is not None
    channels, height, width = architecture.input_shape
    found = dataset.train.images[:1].shape[1:]
    if found != (height, width, channels):
        what = f"the pictures do not fit {architecture.name}"
        raise InputError(what, expected=f"{height} x {width} x {channels}", found=" x ".join(map(str, found)))
    classes = model.eval()(torch.zeros(1, *architecture.input_shape)).shape[1]
    most = 1 + max(int(split.labels.max()) for split in (dataset.train, dataset.test))
    if most > classes:
        names = f": {some(dataset.classes)}" if dataset.classes else ""
        what = f"the data set has more classes than {architecture.name}"
        raise InputError(what, expected=f"{classes} at most", found=f"{most}{names}")
    return int(classes)


def _labels(dataset: Dataset, architecture: Architecture, classes: int) -> tuple[str, ...] | None:
    """Names of the network's classes: those of the data set, if it has names."""
    names = dataset.classes
    if not names:
        return architecture.labels
    if len(names) < classes:
        what = "the data set has %d classes, %s has %d: those without a name are called by their number"
        log.warning(what, len(names), architecture.name, classes)
    return names + tuple(map(str, range(len(names), classes)))


def runtime_accuracy(path: str | os.PathLike[str], split: Split, architecture: Architecture, batch: int = 250) -> float:
    """Accuracy of a container, run by `dcz.runtime` on every image of a split."""
    assert architecture.preprocess is not None
    model = load(path)
    right = 0
    for images, labels in ordered_batches(split, architecture.preprocess, batch):
        scores = model(images.contiguous().numpy())
        right += int((scores.argmax(1) == labels.numpy()).sum())
    return right / len(split)
