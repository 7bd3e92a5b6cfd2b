"""Matching of a checkpoint's keys and shapes with the known architectures.

Names of one network vary: wrappers insert a word, frameworks add a prefix, and tools add their own tensors. So names
are compared without the words of wrappers, under each possible prefix, and without known tensors of tools.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, takewhile, zip_longest
from typing import NamedTuple

from torch import Tensor

from ....core.errors import listed, quoted
from ....dcformat import ConversionError, Shape
from ...architectures import ARCHITECTURES, Architecture
from ...architectures.libraries import named_in
from ...architectures.lookup import resolve, signature
from .parametrized import masked_by

WRAPPERS = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})
"""Words that wrappers insert: DataParallel and AveragedModel, torch.compile, FSDP, activation checkpointing."""
BOOKKEEPING = frozenset({"n_averaged", "total_ops", "total_params"})
"""Last words of the names of buffers that tools add (torch's AveragedModel, thop)."""
LOSSES = ("criterion", "loss")
"""Prefixes of the first word of names that belong to a loss, which some training frameworks keep with the network."""
NEAR = 0.5
"""Least share of matching tensors for which a message suggests an architecture."""


class Match(NamedTuple):
    """An architecture, and the tensors that a checkpoint has for it.

    Attributes
    ----------
    architecture : Architecture
    names : dict of str to str
        The checkpoint's name for each name of the architecture.
    aside : list of str
        Names of the checkpoint's other tensors.
    """

    architecture: Architecture
    names: dict[str, str]
    aside: list[str]

    def own(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A checkpoint's tensors under the architecture's names."""
        return {own: state[name] for own, name in self.names.items()}


@dataclass(frozen=True)
class Reading:
    """An attempt to read a checkpoint as an architecture, under one prefix.

    Attributes
    ----------
    names : dict of str to str
        The checkpoint's name by the architecture's name, for tensors under the prefix.
    aside : list of str
        Names of tensors of tools, which no network computes with.
    outside : list of str
        Other names, not under the prefix.
    misfits : list of str
        Differences in words: wrong shapes, then missing and unexpected names alternately.
    complete : bool
        Whether all of the architecture's tensors are there, in their shapes.
    agreement : float
        Share of matching tensors among all tensors of the two.
    """

    names: dict[str, str]
    aside: list[str]
    outside: list[str]
    misfits: list[str]
    complete: bool
    agreement: float

    @property
    def first_misfits(self) -> str:
        """The first misfits, and the number of the others."""
        return listed(self.misfits, separator="; ", rest="; and")


def find(shapes: Mapping[str, Shape], stem: str = "") -> Match | None:
    """The known architecture with these keys and shapes, apart from tensors of tools; None if there is none.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Of the checkpoint's tensors.
    stem : str
        The file's name without its ending: the networks of torchvision and timm that it names are tried as well.
    """
    for architecture in chain(ARCHITECTURES.values(), named_in(stem)):
        for reading in _readings(signature(architecture), shapes):
            if not reading.misfits and not reading.outside:
                return Match(architecture, reading.names, reading.aside)
    return None


def fit(shapes: Mapping[str, Shape], arch: str, input_shape: Shape | None = None) -> Match:
    """Match a checkpoint with the architecture that the user named.

    A part of the checkpoint is enough, if all its names have a common prefix: a backbone beside a head.

    Raises
    ------
    ConversionError
        There is no such architecture; it has other keys or shapes, of which the error names the first ones; or the
        checkpoint holds it more than once.
    """
    architecture = resolve(arch, input_shape)
    readings = _readings(signature(architecture), shapes)
    best = min(readings, key=lambda reading: (len(reading.misfits), len(reading.outside)))
    if best.misfits:
        what = f"the checkpoint does not fit --arch {arch}: {best.first_misfits}"
        raise ConversionError(what, hint=_way_out(shapes, arch))
    places = [_common_start(r.names[own] for own in best.names if own in r.names) for r in readings if r.complete]
    if best.outside and len(places) > 1:
        what = f"the checkpoint holds {arch} {len(places)} times, under {quoted(places)}"
        raise ConversionError(what, hint="pick one with --key (key=), or save it alone")
    return Match(architecture, best.names, best.aside + best.outside)


def nearest(shapes: Mapping[str, Shape]) -> str | None:
    """Describe the nearest known architecture and the differences; None if none is near."""
    reading, name = _nearest(shapes)
    if reading.agreement < NEAR:
        return None
    if reading.misfits:
        return f"the nearest is {name}, but {reading.first_misfits}"
    return f"the tensors of {name} are there beside {quoted(reading.outside)}, and --arch {name} takes them alone"


def is_counter(name: str) -> bool:
    """Whether a tensor is a batch counter: PyTorch before 0.4.1 had none, and inference needs none."""
    return name.rpartition(".")[2] == "num_batches_tracked"


def _way_out(shapes: Mapping[str, Shape], arch: str) -> str | None:
    if (known := find(shapes)) is not None:
        return f"the keys and shapes are those of {known.architecture.name}"
    if any("parametrizations." in name for name in shapes):
        return "torch.nn.utils.parametrize.remove_parametrizations makes plain weights of parametrized ones"
    reading, name = _nearest(shapes)
    return f"the nearest known architecture is {name}" if reading.agreement >= NEAR and name != arch else None


def _nearest(shapes: Mapping[str, Shape]) -> tuple[Reading, str]:
    """The best reading as a known architecture, and its name."""
    readings = ((reading, name) for name, a in ARCHITECTURES.items() for reading in _readings(signature(a), shapes))
    return max(readings, key=lambda candidate: candidate[0].agreement)


def _readings(wanted: Mapping[str, Shape], shapes: Mapping[str, Shape]) -> list[Reading]:
    """Readings of a checkpoint: without a prefix, and under each prefix of at least half of its names."""
    own, plain = _unwrapped(wanted), _unwrapped(shapes)
    counts = Counter[str]()
    for name in plain:
        words = name.split(".")
        for i in range(1, len(words)):
            if ".".join(words[i:]) in own:
                counts[".".join(words[:i]) + "."] += 1
    prefixes = (prefix for prefix, count in counts.items() if 2 * count >= len(own))
    return [_read(wanted, shapes, own, plain, prefix) for prefix in ("", *prefixes)]


def _read(
    wanted: Mapping[str, Shape],
    shapes: Mapping[str, Shape],
    own: Mapping[str, str],
    plain: Mapping[str, str],
    prefix: str,
) -> Reading:
    names, aside, outside = dict[str, str](), list[str](), list[str]()
    for name, full in plain.items():
        inside = name.startswith(prefix)
        name = name.removeprefix(prefix)
        weight = own.get(masked_by(name) or "")
        if inside and name in own:
            names[own[name]] = full
        elif _is_bookkeeping(name) or (inside and weight is not None and wanted[weight] == shapes[full]):
            aside.append(full)
        elif inside:
            names[name] = full
        else:
            outside.append(full)
    found = {name: shapes[full] for name, full in names.items()}
    needed = {name for name in wanted.keys() | found.keys() if not is_counter(name)}
    right = sum(found.get(name) == wanted.get(name) for name in needed)
    complete = all(found.get(name) == wanted[name] for name in needed & wanted.keys())
    agreement = right / max(1, len(needed) + len(outside))
    return Reading(names, aside, outside, _misfits(wanted, found), complete, agreement)


def _misfits(wanted: Mapping[str, Shape], found: Mapping[str, Shape]) -> list[str]:
    shaped = [
        f"{name!r} has shape {list(found[name])} where {list(wanted[name])} is expected"
        for name in wanted
        if name in found and found[name] != wanted[name]
    ]
    missing = [f"{name!r} is missing" for name in wanted if name not in found and not is_counter(name)]
    unexpected = [f"{name!r} is unexpected" for name in found if name not in wanted and not is_counter(name)]
    return [misfit for misfit in chain(*zip_longest(shaped, missing, unexpected)) if misfit is not None]


def _is_bookkeeping(name: str) -> bool:
    first, _, rest = name.partition(".")
    return name.rpartition(".")[2] in BOOKKEEPING or (bool(rest) and first.startswith(LOSSES))


def _common_start(names: Iterable[str]) -> str:
    """The words with which all names begin."""
    columns = zip(*(name.split(".") for name in names), strict=False)
    return ".".join(words[0] for words in takewhile(lambda words: len(set(words)) == 1, columns))


def _unwrapped(names: Iterable[str]) -> dict[str, str]:
    """Names by their form without the words of wrappers; unchanged names where two forms would be equal."""
    full = list(names)
    plain = {".".join(word for word in name.split(".") if word not in WRAPPERS): name for name in full}
    return plain if len(plain) == len(full) else {name: name for name in full}
