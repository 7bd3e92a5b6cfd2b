"""Run a recipe: train, prune, retrain, share, fine-tune, code; each stage measured in bytes of a real file."""

from __future__ import annotations

import copy
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...dcformat.errors import ConversionError
from ...runtime import load
from ..architectures import ARCHITECTURES, Architecture
from ..convert import convert
from .allocation import Allocation, importance
from .artefacts import write_artefacts
from .batches import ordered_batches
from .checkpoints import load_checkpoint, load_network
from .constraints import Constraint, GradualPruning, Masks, SharedWeights, nonzero_masks, prunable, weights_of
from .datasets import Dataset, Split, load_dataset
from .folding import fold_normalisation
from .recipe import Recipe, Stage, load_recipe
from .report import CompressionReport, StageReport, write_report
from .sharing import BitsRule, parse_bits
from .starting import start_whitened
from .training import evaluate, train

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
        The container, overwritten when the new one is whole.
    recipe : Recipe, path or str
        A recipe, its file, or the name of one that dcz brings along.
    checkpoint : path, optional
        Dense weights to start from; the leading "train" stages are skipped.
    teacher : nn.Module or path, optional
        For stages that distill: a network, or a checkpoint of a known architecture with the same input; by default
        the network as it came into the first such stage, mostly the dense one.
    work : path, optional
        Folder for checkpoints and the state dict of each stage: a run that was stopped goes on from there.
    artefacts : path, optional
        Folder for the networks, codebooks and codes that course works hand in (`artefacts.write_artefacts`).
    threads : int, optional
        Of torch, in the whole process; left as they are without it.

    Raises
    ------
    ConversionError
        The recipe doesn't fit the network, the checkpoint is another network's, or the loss is not finite.
    InputError
        The folder holds no known data set.
    """
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
    if checkpoint is not None:
        load_checkpoint(model, recipe.arch, checkpoint)
        while stages and stages[0][1].do == "train":
            stages.pop(0)
    if not stages:
        raise ConversionError("the recipe has nothing left to do", hint="with a checkpoint, train stages are skipped")
    assert architecture.preprocess is not None
    if teacher is not None and not isinstance(teacher, nn.Module):
        teacher = load_network(teacher, architecture)
    dataset = load_dataset(os.fspath(data), architecture.preprocess)
    if checkpoint is None and recipe.start == "whitened":
        start_whitened(model, dataset.train, architecture.preprocess)
    run = _Run(architecture, recipe, dataset, Path(work) if work is not None else None, Path(out), teacher)
    try:
        reports = [run.stage(number, stage, model) for number, stage in stages]
        if artefacts is not None:
            write_artefacts(Path(artefacts), recipe.arch, run.networks, model)
        os.replace(run.trial, out)
    finally:
        run.trial.unlink(missing_ok=True)
    accuracy = runtime_accuracy(out, dataset.test, architecture)
    report = CompressionReport(recipe.arch, os.fspath(out), accuracy, len(dataset.test), reports)
    write_report(report, Path(out))
    return report


def runtime_accuracy(path: str | os.PathLike[str], split: Split, architecture: Architecture, batch: int = 250) -> float:
    """Share of right answers of a container, run by `dcz.runtime` on every picture of a split."""
    assert architecture.preprocess is not None
    model = load(path)
    right = 0
    for images, labels in ordered_batches(split, architecture.preprocess, batch):
        scores = model(images.contiguous().numpy())
        right += int((scores.argmax(1) == labels.numpy()).sum())
    return right / len(split)


def _convert(model: nn.Module, architecture: Architecture, out: Path) -> Mapping[str, Any]:
    plain = copy.deepcopy(model).to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    report = convert(
        plain,
        out,
        input_shape=architecture.input_shape,
        preprocess=architecture.preprocess,
        labels=architecture.labels,
    )
    return report.info


class _Run:
    """The state that the stages of one run share."""

    def __init__(
        self,
        architecture: Architecture,
        recipe: Recipe,
        dataset: Dataset,
        work: Path | None,
        out: Path,
        teacher: nn.Module | None,
    ) -> None:
        self.architecture = architecture
        self.recipe = recipe
        self.work = work
        self.trial = out.with_name(f".{out.name}.trial")  # what the last stage would ship as
        self.teacher = teacher
        self.networks: dict[str, dict[str, torch.Tensor]] = {}
        self.split: Split = dataset.train
        self.validation: Split | None = None
        if recipe.validation:
            self.split, self.validation = dataset.hold_out(recipe.validation, recipe.seed)

    def stage(self, number: int, stage: Stage, model: nn.Module) -> StageReport:
        """Run one stage in place, or load what an earlier run made of it."""
        title = f"{number} {stage.do}"
        start = time.monotonic()
        if stage.settings.distill > 0 and self.teacher is None:
            self.teacher = copy.deepcopy(model).eval()
        if stage.do == "prune":
            self.networks.setdefault("before_pruning", copy.deepcopy(model.state_dict()))
        result = self.work / f"{number}-{stage.do}.pt" if self.work is not None else None
        if result is not None and result.exists():
            load_checkpoint(model, self.recipe.arch, result)
            log.info("%s: loaded from %s", title, result)
        else:
            self._train(number, stage, model, title)
            if result is not None:
                result.parent.mkdir(parents=True, exist_ok=True)
                torch.save(model.state_dict(), result)
        if stage.do != "train":
            name = "after_pruning" if stage.do == "prune" else "after_quantization"
            self.networks[name] = copy.deepcopy(model.state_dict())
        return self._measure(title, model, time.monotonic() - start)

    def _train(self, number: int, stage: Stage, model: nn.Module, title: str) -> None:
        assert self.architecture.preprocess is not None
        constraint = self._constraint(stage, model)
        if stage.settings.epochs == 0:
            return
        train(
            model,
            self.split,
            self.architecture.preprocess,
            stage.settings,
            constraint=constraint,
            teacher=self.teacher,
            validation=self.validation,
            checkpoint=self.work / f"{number}-{stage.do}.checkpoint" if self.work is not None else None,
            seed=self.recipe.seed * 100 + number,
            title=title,
        )

    def _constraint(self, stage: Stage, model: nn.Module) -> Constraint:
        if stage.do == "share":
            if stage.fold:
                fold_normalisation(model)
            return self._shared(stage, model, self._bits(stage, model))
        if stage.do == "train":
            return Masks(nonzero_masks(model))
        if stage.ramp > 0 and stage.settings.epochs > 0:
            return GradualPruning(stage.target(), stage.ramp, nonzero_masks(model), begin=stage.begin)
        masks = Masks(stage.target()(weights_of(model), 1.0))
        masks.apply(model)
        return masks

    def _shared(self, stage: Stage, model: nn.Module, bits: BitsRule) -> SharedWeights:
        return SharedWeights(model, bits, stage.clustering(self.recipe.seed), stage.grid, stage.vectors, stage.half)

    def _bits(self, stage: Stage, model: nn.Module) -> BitsRule:
        if stage.bits:
            return parse_bits(stage.bits)
        preprocess = self.architecture.preprocess
        assert preprocess is not None
        weighing = importance(model, self.split, preprocess)
        choice = Allocation(weights_of(model), stage.clustering(self.recipe.seed), weighing)

        def tried(bits: BitsRule) -> nn.Module:
            trial = copy.deepcopy(model)
            self._shared(stage, trial, bits)
            return trial

        if stage.average_bits:
            rule = choice.rule(stage.average_bits)
        elif stage.max_bytes:
            rule, _ = choice.turning_point(lambda bits: self._bytes(tried(bits)) > stage.max_bytes)
            if (least := self._bytes(tried(rule))) > stage.max_bytes:
                what = "the container does not come down to max_bytes with one bit a weight"
                raise ConversionError(what, expected=f">= {least}", found=stage.max_bytes, hint="prune more")
        else:
            assert self.validation is not None
            held_out = self.validation
            enough = evaluate(model, held_out, preprocess).accuracy - stage.max_drop
            _, rule = choice.turning_point(lambda bits: evaluate(tried(bits), held_out, preprocess).accuracy >= enough)
        log.info("bits: %s", ", ".join(f"{layer}={bits}" for layer, bits in rule.by_key.items()))
        return rule

    def _bytes(self, model: nn.Module) -> int:
        return int(_convert(model, self.architecture, self.trial)["file_bytes"])

    def _measure(self, title: str, model: nn.Module, seconds: float) -> StageReport:
        assert self.architecture.preprocess is not None
        accuracy = None
        if self.validation is not None:
            accuracy = evaluate(model, self.validation, self.architecture.preprocess).accuracy
        info = _convert(model, self.architecture, self.trial)
        weights = weights_of(model)
        total = sum(w.size for w in weights.values())
        nonzero = sum(int((w != 0).sum()) for w in weights.values())
        report = StageReport(
            stage=title,
            accuracy=accuracy,
            nonzero=nonzero,
            weights=total,
            density=nonzero / total,
            file_bytes=info["file_bytes"],
            ratio=info["ratio"],
            ratio_course=info["ratio_course"],
            ratio_paper=info["ratio_paper"],
            seconds=round(seconds, 1),
        )
        held_out = "" if accuracy is None else f"held out {accuracy:.2%}, "
        log.info("%s: %sdensity %.4g, %s bytes", title, held_out, report.density, f"{report.file_bytes:,}")
        return report
