"""The stages of a recipe: each is run, or loaded from an earlier run, and measured in bytes of a real file."""

from __future__ import annotations

import copy
import json
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...core.errors import ConversionError
from ..architectures import Architecture
from ..compression.sharing import BitsRule, parse_bits
from ..convert import convert
from .allocation import Allocation, importance
from .checkpoints import load_saved, save
from .constraints import Constraint, GradualPruning, Masks, SharedWeights, nonzero_masks, weights_of
from .data.datasets import Dataset, Split
from .folding import fold_normalisation
from .reassignment import ReassignedWeights
from .recipe import Recipe, Stage
from .report import StageReport
from .training import evaluate, train

log = logging.getLogger(__name__)


class Run:
    """The state that the stages of one run share.

    Parameters
    ----------
    architecture : Architecture
    recipe : Recipe
    dataset : Dataset
    work : Path or None
        Folder for checkpoints and the network of each stage.
    trial : Path
        Path of the temporary container of a stage.
    teacher : nn.Module or None
    origin : list
        Everything besides the stage that affects the result of the first stage, as JSON values.
    """

    def __init__(
        self,
        architecture: Architecture,
        recipe: Recipe,
        dataset: Dataset,
        work: Path | None,
        trial: Path,
        teacher: nn.Module | None,
        origin: list[Any],
    ) -> None:
        self.architecture = architecture
        self.recipe = recipe
        self.work = work
        self.trial = trial
        self.teacher = teacher
        self.origin = origin  # everything besides the stage that affects the next result
        self.networks: dict[str, dict[str, torch.Tensor]] = {}
        self.split: Split = dataset.train
        self.validation: Split | None = None
        if held_out := recipe.held_out(len(dataset.train)):
            self.split, self.validation = dataset.hold_out(held_out, recipe.seed)

    def stage(self, number: int, stage: Stage, model: nn.Module) -> StageReport:
        """Run one stage in place, or load its result from an earlier run of the same stages."""
        title = f"{number} {stage.do}"
        self.origin.append(asdict(stage))
        start = time.monotonic()
        if stage.settings.distill > 0 and self.teacher is None:
            self.teacher = copy.deepcopy(model).eval()
        if stage.do == "prune":
            self.networks.setdefault("before_pruning", copy.deepcopy(model.state_dict()))
        if (known := self._known(number, stage)) is not None:
            load_saved(model, known)
            log.info("%s: loaded from %s", title, known)
        else:
            self._train(number, stage, model, title)
            self._keep(number, stage, model)
        if stage.do != "train":
            name = "after_pruning" if stage.do == "prune" else "after_quantization"
            self.networks[name] = copy.deepcopy(model.state_dict())
        return self._measure(title, model, time.monotonic() - start)

    def _paths(self, number: int, stage: Stage) -> tuple[Path, Path]:
        """Files of a stage's network and of its origin."""
        assert self.work is not None
        network = self.work / f"{number}-{stage.do}.pt"
        return network, network.with_suffix(".json")

    def _known(self, number: int, stage: Stage) -> Path | None:
        """File of the network that this stage made in an earlier run, or None."""
        if self.work is None:
            return None
        network, origin = self._paths(number, stage)
        if not network.exists():
            return None
        if not origin.exists() or json.loads(origin.read_text(encoding="utf-8")) != self._origin():
            raise ConversionError(
                "this stage was made by another recipe, or from another checkpoint, teacher or data set",
                path=network,
                hint="delete it to run the stage again, or name another --work folder",
            )
        return network

    def _keep(self, number: int, stage: Stage, model: nn.Module) -> None:
        if self.work is None:
            return
        network, origin = self._paths(number, stage)
        self.work.mkdir(parents=True, exist_ok=True)
        origin.write_text(json.dumps(self._origin(), indent=1) + "\n", encoding="utf-8")
        save(model.state_dict(), network)  # written last: if it exists, the other file does

    def _origin(self) -> Any:
        return json.loads(json.dumps(self.origin))

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
            origin=json.dumps(self.origin),
            title=title,
        )

    def _constraint(self, stage: Stage, model: nn.Module) -> Constraint:
        if stage.do == "share":
            if stage.fold:
                fold_normalisation(model)
            return self._shared(stage, model, self._bits(stage, model))
        if stage.do == "train":
            return Masks({} if stage.regrow else nonzero_masks(model))
        if stage.ramp > 0 and stage.settings.epochs > 0:
            return GradualPruning(stage.target(), stage.ramp, nonzero_masks(model), begin=stage.begin)
        masks = Masks(stage.target()(weights_of(model), 1.0))
        masks.apply(model)
        return masks

    def _shared(self, stage: Stage, model: nn.Module, bits: BitsRule) -> Constraint:
        how = stage.clustering(self.recipe.seed)
        if stage.reassign:
            return ReassignedWeights(model, bits, how)
        return SharedWeights(model, bits, how, stage.grid, stage.vectors, stage.half)

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

        if stage.average_bits is not None:
            rule = choice.rule(stage.average_bits)
        elif (most := stage.max_bytes) is not None:
            rule, _ = choice.turning_point(lambda bits: self._bytes(tried(bits)) > most)
            if (least := self._bytes(tried(rule))) > most:
                what = "the container does not come down to max_bytes with one bit a weight"
                raise ConversionError(what, expected=f">= {least}", found=most, hint="prune more")
        else:
            assert self.validation is not None
            assert stage.max_drop is not None
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
            bits=_index_bits(info, set(weights)),
            file_bytes=info["file_bytes"],
            ratio=info["ratio"],
            ratio_course=info["ratio_course"],
            ratio_paper=info["ratio_paper"],
            seconds=round(seconds, 1),
        )
        held_out = "" if accuracy is None else f"held out {accuracy:.2%}, "
        log.info("%s: %sdensity %.4g, %s bytes", title, held_out, report.density, f"{report.file_bytes:,}")
        return report


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


def _index_bits(info: Mapping[str, Any], weights: set[str]) -> float:
    """Mean bits of a codebook index over the non-zero weights; 32 for a weight that is not shared."""
    total = nonzero = 0
    for row in info["tensors"]:
        if row["name"] in weights:
            zero = row["encoding"] == "shared" and row["density"] < 1  # an entry of the codebook there
            centroids = row["codebook_size"] and row["codebook_size"] - zero
            total += row["nnz"] * (math.ceil(math.log2(max(centroids, 2))) if centroids else 32)
            nonzero += row["nnz"]
    return total / max(nonzero, 1)
