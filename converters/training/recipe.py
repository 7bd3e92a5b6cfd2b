"""Recipes: the stages of a compression in TOML, checked before the run.

::

    arch = "lenet5_caffe"        # may be left out where the command names it
    validation = 1000            # pictures of the training set held out to choose by
    start = "whitened"           # how a network without a checkpoint begins (`starting`); "plain" by default
    [defaults]                   # training settings of all stages (`training.Settings`)
    batch = 128
    [[stage]]
    do = "train"                 # left out where a checkpoint is given
    epochs = 20
    [[stage]]
    do = "prune"                 # one of: rule = "std:0.75", density = 0.1 (whole network), layers = {conv = 0.5}
    density = 0.05
    epochs = 40
    [[stage]]
    do = "share"
    bits = "conv=5,fc=4"
    epochs = 5                   # trained quantization; 0 for k-means alone
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ...core.errors import ConversionError
from ..compression.clustering import Clustering
from ..compression.pruning import SCORES, parse_prune
from ..compression.sharing import parse_bits
from .targets import GlobalTarget, LayerTarget, RuleTarget, Target
from .training import Settings

OWN_KEYS = {
    "train": ("regrow",),
    "prune": ("rule", "density", "layers", "least", "score", "ramp", "begin"),
    "share": (
        *("bits", "average_bits", "max_bytes", "max_drop"),
        *("init", "method", "spread", "rate", "grid", "vectors", "half", "fold", "reassign"),
    ),
}
"""Keys of each kind of stage, besides training settings."""

MAX_GRID = 11  # limit of grid codebooks in the container

STARTS = ("plain", "whitened")

VALIDATION = 5000
"""Default number of held-out images, for training sets of at least ten times as many."""

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Stage:
    """One step of a recipe.

    Attributes
    ----------
    do : {"train", "prune", "share"}
    settings : Settings
        Training settings; ``epochs = 0``: no training.
    regrow : bool
        "train": let pruned weights grow again, from zero: the second dense phase of Dense-Sparse-Dense training
        (Han et al. 2016, arXiv 1607.04381).
    rule : str
        "prune": a threshold rule for every layer (`pruning.parse_prune`).
    density : float or None
        "prune": share of the weights that the whole network keeps.
    layers : mapping of str to float
        "prune": share that each layer keeps, by name or kind.
    least : float
        "prune" with `density`: least share that each layer keeps.
    score : {"magnitude", "lamp"}
        "prune" with `density`: score for comparison between layers.
    ramp : float
        "prune": share of the epochs over which the masks tighten; 0 prunes at once.
    begin : float
        "prune": share of the epochs before that, for a network that starts from scratch.
    bits : str
        "share": as for `sharing.parse_bits`.
    average_bits : float or None
        "share", instead of `bits`: average bits for a non-zero weight; see `allocation.Allocation`.
    max_bytes : int or None
        "share", instead of `bits`: greatest size of the container in bytes, before fine-tuning.
    max_drop : float or None
        "share", instead of `bits`: greatest loss of accuracy on held-out images, as a share, before fine-tuning.
    init, method, spread, rate
        "share": as in `clustering.Clustering`.
    grid, vectors : int
        "share": bits of a uniform grid for centroids, and for biases and normalisation; 0 leaves them off it.
    half : bool
        "share": numbers without a grid are rounded to half precision.
    fold : bool
        "share": make each batch norm one scale and shift a channel first; training needs ``frozen = true`` then.
    reassign : bool
        "share": train the weights too, and let them change their centroid; see `reassignment.ReassignedWeights`.
    """

    do: str
    settings: Settings = field(default_factory=Settings)
    regrow: bool = False
    rule: str = ""
    density: float | None = None
    layers: Mapping[str, float] = field(default_factory=dict)
    least: float = 0.0
    score: str = "magnitude"
    ramp: float = 0.6
    begin: float = 0.0
    bits: str = ""
    average_bits: float | None = None
    max_bytes: int | None = None
    max_drop: float | None = None
    init: str = "linear"
    method: str = "kmeans"
    spread: float = 0.5
    rate: float = 0.0
    grid: int = 0
    vectors: int = 0
    half: bool = False
    fold: bool = False
    reassign: bool = False

    def __post_init__(self) -> None:
        if self.do not in OWN_KEYS:
            raise ConversionError("unknown stage", expected="train, prune or share", found=repr(self.do))
        for key in (f.name for f in fields(self) if f.name not in ("do", "settings", *OWN_KEYS[self.do])):
            if getattr(self, key) != _PLAIN[key]:
                what = f"a {self.do} stage takes no {key}"
                raise ConversionError(what, expected=", ".join(OWN_KEYS[self.do]) or "settings of training alone")
        if self.settings.frozen and self.do != "share":
            raise ConversionError("frozen = true is for share stages: there is nothing else to train here")
        if self.do == "prune":
            self._one_of("rule", "density", "layers")
            for density in (self.density, *self.layers.values()):
                if density is not None and not 0 < density <= 1:
                    raise ConversionError("density out of range", expected="0 < density <= 1", found=density)
            if min(self.ramp, self.begin, self.least) < 0 or self.begin + self.ramp > 1 or self.least > 1:
                raise ConversionError("begin, ramp or least out of range", expected="0 to 1, begin + ramp <= 1")
            if self.score not in SCORES:
                raise ConversionError("unknown score", expected=", ".join(SCORES), found=repr(self.score))
            self.target()
        if self.do == "share":
            self._one_of("bits", "average_bits", "max_bytes", "max_drop")
            if self.average_bits is not None and not self.average_bits > 0:
                raise ConversionError("average_bits out of range", expected="more than 0", found=self.average_bits)
            if self.max_bytes is not None and not self.max_bytes > 0:
                raise ConversionError("max_bytes out of range", expected="more than 0", found=self.max_bytes)
            if self.max_drop is not None and not 0 <= self.max_drop < 1:
                raise ConversionError("max_drop out of range", expected="0 <= max_drop < 1", found=self.max_drop)
            if self.bits:
                parse_bits(self.bits)
            self.clustering(0)
            for grid in (self.grid, self.vectors):
                if grid and not 2 <= grid <= MAX_GRID:
                    raise ConversionError("grid out of range", expected=f"2 to {MAX_GRID} bits, or 0", found=grid)
            if self.fold and self.settings.epochs and not self.settings.frozen:
                raise ConversionError("folded batch norms cannot train on batch statistics", hint="set frozen = true")
            if self.reassign and (self.settings.frozen or self.grid or self.vectors or self.half or self.fold):
                what = "reassign = true trains all weights, and rounds nothing"
                unfit = "no frozen, grid, vectors, half, fold"
                raise ConversionError(what, expected=unfit, hint="set them in a stage after")

    def _one_of(self, *keys: str) -> None:
        if sum(getattr(self, key) != _PLAIN[key] for key in keys) != 1:
            listed = f"{', '.join(keys[:-1])} and {keys[-1]}"
            raise ConversionError(f"a {self.do} stage takes one of {listed}")

    def target(self) -> Target:
        """The target of a "prune" stage."""
        if self.rule:
            return RuleTarget(parse_prune(self.rule))
        if self.density is not None:
            return GlobalTarget(self.density, self.least, self.score)
        return LayerTarget(self.layers)

    def clustering(self, seed: int) -> Clustering:
        """The clustering of a "share" stage."""
        return Clustering(self.init, self.method, seed, self.spread, self.rate)

    def unknown_layers(self, weights: Sequence[str]) -> list[str]:
        """Layers that the stage names and a network with these weights lacks."""
        known = {"conv", "fc", *(name.removesuffix(".weight") for name in weights)}
        unknown = parse_bits(self.bits).unknown(list(weights)) if self.bits else []
        return [*unknown, *(name for name in self.layers if name not in known)]


_PLAIN = {f.name: f.default if f.default is not MISSING else {} for f in fields(Stage)}


@dataclass(frozen=True)
class Recipe:
    """A compression from start to end.

    Attributes
    ----------
    arch : str
        A known architecture, or ``pkg.module:factory``. Empty: whichever the command names.
    stages : tuple of Stage
    validation : int or None
        Number of held-out images of the training set. 0 trains on all of them, for a recipe without choices. None, or
        more than half of the training set, means `VALIDATION`, or a tenth of a smaller training set.
    seed : int
    start : {"plain", "whitened"}
        Initialisation without a checkpoint: that of the network, or followed by `starting.start_whitened`.
    calibrate : str
        Rule for the ranges that the container gets at the end, as for `dcz.calibrate`; empty: it gets none.
    path : str or None
        The file it was read from, for messages.
    """

    arch: str
    stages: tuple[Stage, ...]
    validation: int | None = None
    seed: int = 0
    start: str = "plain"
    calibrate: str = ""
    path: str | None = None

    def __post_init__(self) -> None:
        if self.start not in STARTS:
            raise ConversionError("unknown start", expected=", ".join(STARTS), found=repr(self.start))
        if self.validation is not None and self.validation < 0:
            raise ConversionError("validation out of range", expected="0 or more pictures", found=self.validation)

    def held_out(self, pictures: int) -> int:
        """Number of held-out images of a training set, given its size."""
        if self.validation is not None and 2 * self.validation <= pictures:
            return self.validation
        return min(VALIDATION, max(1, pictures // 10))

    def check_layers(self, weights: Sequence[str]) -> None:
        """Raise ConversionError if a stage names a layer that the network lacks, given the names of its weights."""
        for number, stage in enumerate(self.stages, 1):
            if unknown := stage.unknown_layers(weights):
                what, where = f"the network has no layer {unknown[0]!r}", f"stage {number}, {stage.do!r}"
                expected = ", ".join(["conv", "fc", *(name.removesuffix(".weight") for name in weights)])
                raise ConversionError(what, path=self.path, where=where, expected=expected)


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    path : str or Path
        The name of a bundled recipe, which takes precedence over a file of that name, or a TOML file.

    Raises
    ------
    ConversionError
        There is no such recipe, a key is unknown, or a value does not fit.
    OSError
        The file cannot be read.
    """
    known = {recipe.stem: recipe for recipe in sorted(RECIPES.glob("*.toml"))}
    path = known.get(str(path), Path(path))
    if not path.exists():
        expected, hint = f"a TOML file or one of {', '.join(known)}", "docs/recipes.md says how to write one"
        raise ConversionError(f"no recipe {str(path)!r}", expected=expected, hint=hint)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConversionError(f"not a TOML file: {error}", path=path) from None
    try:
        return replace(parse_recipe(data), path=str(path))
    except ConversionError as error:
        raise error.at(path) from None


def parse_recipe(data: Mapping[str, Any]) -> Recipe:
    """Make a recipe from the content of a TOML file; errors as for `load_recipe`."""
    own_keys = {"arch": str, "validation": int, "seed": int, "start": str, "calibrate": str}
    _check("recipe", data, {**own_keys, "defaults": dict, "stage": list})
    settings_keys = _types(Settings)
    defaults = data.get("defaults", {})
    _check("defaults", defaults, settings_keys)
    stage_keys = {key: kind for key, kind in _types(Stage).items() if key != "settings"}
    stages = []
    for number, entries in enumerate(data.get("stage", []), 1):
        where = f"stage {number}"
        if not isinstance(entries, Mapping) or "do" not in entries:
            raise ConversionError(
                "a stage must say what to do", where=where, expected='do = "train", "prune" or "share"'
            )
        _check(where, entries, {**stage_keys, **settings_keys})
        own = {key: value for key, value in entries.items() if key in settings_keys}
        rest = {key: value for key, value in entries.items() if key in stage_keys}
        try:
            stages.append(Stage(settings=Settings(**{**defaults, **own}), **rest))
        except ConversionError as error:
            error.where = error.where or where
            raise
    if not stages:
        raise ConversionError("the recipe has no stage", expected="[[stage]]")
    given = {key: data[key] for key in own_keys if key in data}
    recipe = Recipe(stages=tuple(stages), **{"arch": "", **given})
    if recipe.validation == 0 and any(stage.max_drop is not None for stage in stages):
        raise ConversionError("max_drop is measured on held-out pictures", expected="validation > 0", found=0)
    return recipe


def _types(cls: type) -> dict[str, type]:
    kinds = {"int": int, "float": float, "str": str, "bool": bool}
    return {f.name: kinds.get(str(f.type).removesuffix(" | None"), dict) for f in fields(cls)}


def _check(where: str, data: Mapping[str, Any], known: Mapping[str, type]) -> None:
    for key, value in data.items():
        if key not in known:
            raise ConversionError(f"unknown key {key!r}", where=where, expected=", ".join(sorted(known)))
        kind = known[key]
        fits = type(value) in (int, float) if kind is float else type(value) is kind
        if not fits:
            raise ConversionError(f"{key} has the wrong type", where=where, expected=kind.__name__, found=repr(value))
