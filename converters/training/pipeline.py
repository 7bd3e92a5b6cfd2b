"""Run a recipe: train, prune, retrain, share, fine-tune, code. Each stage is measured in bytes of a real file."""

from __future__ import annotations

import copy
import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...calibration.calibrate import calibrate
from ...core.errors import ConversionError, InputError
from ...core.output import check_output, files_among, make_folder, replacing
from ...dcformat.graph.graph import Shape
from ...dcformat.preprocess import Preprocess
from ...runtime import load
from ..architectures import ARCHITECTURES, Architecture
from ..architectures.lookup import new_network, resolve
from ..frontends.exported.trainable import trainable
from ..frontends.presets import fit_preprocess, resolve_preprocess
from .artefacts import write_artefacts
from .checkpoints import digest, load_checkpoint, load_network
from .data.batches import normalise, ordered_batches
from .data.datasets import Split, load_dataset
from .fitting import check_pictures, check_recipe, classes_of, labels_for
from .proposal import MAX_DROP, TARGET_RATIO, measured_preprocess, propose_recipe
from .recipe import VALIDATION, Recipe, load_recipe
from .report import CompressionReport, write_report
from .stages import Run
from .starting import start_whitened

log = logging.getLogger(__name__)

CALIBRATION = 200
"""Images of the training set that ranges for integers come from."""


def compress(
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    recipe: Recipe | str | os.PathLike[str] | None = None,
    *,
    arch: str | None = None,
    input_shape: Shape | None = None,
    preprocess: Preprocess | str | os.PathLike[str] | None = None,
    max_drop: float = MAX_DROP,
    target_ratio: float = TARGET_RATIO,
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
    recipe : Recipe, path or str, optional
        A recipe, its file, or the name of a bundled one. Without it that of the architecture, or for a network of your
        own one that `proposal.propose_recipe` makes.
    arch : str, optional
        A known architecture, ``pkg.module:factory``, or a program of ``torch.export`` (``.pt2``), which has its weights
        already; by default the recipe's.
    input_shape : tuple of int, optional
        (C, H, W), for a factory; that of a program must agree.
    preprocess : Preprocess, str or path, optional
        Preprocessing for a network of your own; by default the pictures are resized to its input, and their mean and
        deviation are taken from the training set.
    max_drop, target_ratio : float
        For a proposed recipe: accuracy that it may lose by sharing, as a share, and the ratio of file sizes it aims at.
    checkpoint : path, optional
        Initial weights. Leading "train" stages are then skipped, unless they regrow a pruned network; so they are for a
        program.
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
        The folder holds no known data set, or one that does not fit the network; `out` is one of the files read; or the
        recipe's rule for ranges is unknown.
    OSError
        `out`, `work` or `artefacts` cannot be written to.
    """
    check_output(out, checkpoint, teacher if not isinstance(teacher, nn.Module) else None, *files_among(recipe, arch))
    if recipe is not None and not isinstance(recipe, Recipe):
        recipe = load_recipe(os.fspath(recipe))
    elif recipe is None and arch in ARCHITECTURES:
        recipe = load_recipe(arch)
    architecture = _architecture(recipe, arch, input_shape, preprocess, data)
    if recipe is None:
        assert architecture.preprocess is not None
        pictures = len(load_dataset(os.fspath(data), architecture.preprocess).train)
        recipe = propose_recipe(architecture, pictures, max_drop, target_ratio)
    recipe = replace(recipe, arch=architecture.name)
    torch.manual_seed(recipe.seed)
    if threads is not None:
        torch.set_num_threads(threads)
    model = new_network(architecture)
    check_recipe(recipe, model)
    classes = classes_of(model, architecture)
    stages = list(enumerate(recipe.stages, 1))
    given = None
    if checkpoint is not None:
        if _is_program(architecture.name):
            raise ConversionError(
                "a program has its weights already", path=architecture.name, hint="leave out checkpoint"
            )
        load_checkpoint(model, architecture, checkpoint)
    if checkpoint is not None or _is_program(architecture.name):
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
        check_pictures(dataset, architecture, classes)
    except InputError as error:
        raise error.at(data) from None
    architecture = replace(architecture, labels=labels_for(dataset, architecture, classes))
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
        if recipe.calibrate:
            calibrate(trial, _some_inputs(dataset.train, preprocess, recipe.seed), out, ranges=recipe.calibrate)
        else:
            with replacing(out) as file:
                file.write(trial.read_bytes())
    finally:
        trial.unlink(missing_ok=True)
    report = CompressionReport(recipe.arch, os.fspath(out), accuracy, len(dataset.test), reports)
    write_report(report, Path(out))
    return report


def _architecture(
    recipe: Recipe | None,
    arch: str | None,
    input_shape: Shape | None,
    preprocess: Preprocess | str | os.PathLike[str] | None,
    data: str | os.PathLike[str],
) -> Architecture:
    """The architecture that the recipe or the caller names, with the preprocessing of its pictures."""
    name = arch or (recipe.arch if recipe is not None else "")
    if not name:
        raise ConversionError("no architecture is named", hint="give arch, or a recipe that has one")
    if recipe is not None and recipe.arch not in ("", name):
        raise ConversionError("the recipe is for another network", expected=name, found=recipe.arch)
    architecture = _program(name, input_shape) if _is_program(name) else resolve(name, input_shape)
    if preprocess is not None:
        fitted = fit_preprocess(resolve_preprocess(preprocess), architecture.input_shape)
        return replace(architecture, preprocess=fitted)
    if architecture.preprocess is None:
        return replace(architecture, preprocess=measured_preprocess(data, architecture.input_shape))
    return architecture


def _is_program(name: str) -> bool:
    return name.endswith(".pt2")


def _program(path: str, input_shape: Shape | None) -> Architecture:
    """The network of a program."""
    _, found = trainable(Path(path))
    if input_shape is not None and input_shape != found:
        what = "the program takes another input"
        raise ConversionError(what, path=path, expected=list(found), found=list(input_shape))
    return Architecture(path, lambda: trainable(Path(path))[0], found)


def _some_inputs(split: Split, preprocess: Preprocess, seed: int) -> NDArray[np.float32]:
    """Inputs to calibrate with: images of a split, drawn at random."""
    chosen = np.random.default_rng(seed).permutation(len(split))[:CALIBRATION]
    inputs: NDArray[np.float32] = normalise(split.images[np.sort(chosen)], preprocess).contiguous().numpy()
    return inputs


def runtime_accuracy(path: str | os.PathLike[str], split: Split, architecture: Architecture, batch: int = 250) -> float:
    """Accuracy of a container, run by `dcz.runtime` on every image of a split."""
    assert architecture.preprocess is not None
    model = load(path)
    right = 0
    for images, labels in ordered_batches(split, architecture.preprocess, batch):
        scores = model(images.contiguous().numpy())
        right += int((scores.argmax(1) == labels.numpy()).sum())
    return right / len(split)
