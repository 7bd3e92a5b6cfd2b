"""How an image becomes a network's input: stored in the container, so that an answer needs no other file."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..core.errors import FormatError

MODES = {"RGB": 3, "BGR": 3, "L": 1}
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box")
MAX_SIDE = 1 << 14
"""Longest side, in pixels, that an image may be resized or cropped to."""
MAX_NUMBER = 1e6
"""Largest magnitude of scale, mean and std."""


@dataclass(frozen=True)
class Preprocess:
    """Steps from an image to the input: resize, centre crop, channel order, then ``(pixel * scale - mean) / std``.

    Attributes
    ----------
    mode : {"RGB", "BGR", "L"}
        Channel order; "L" is grey.
    resize : int or (int, int) or None
        An int resizes the shorter side to it and keeps the proportions; a pair is (height, width).
    crop : (int, int) or None
        (height, width) cut from the centre; an image that is smaller is padded with black.
    interpolation : str
        One of `INTERPOLATIONS`.
    scale : float
        Factor for pixels 0..255.
    mean, std : tuple of float
        One a channel, in the order of `mode`. Integers become floats, here and in `scale`.
    """

    mode: str = "RGB"
    resize: int | tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
    interpolation: str = "bilinear"
    scale: float = 1.0 / 255.0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        for name, known in (("mode", tuple(MODES)), ("interpolation", INTERPOLATIONS)):
            value = getattr(self, name)
            if value not in known:
                raise FormatError(f"preprocess: unknown {name}", expected=", ".join(known), found=reprlib.repr(value))
        for name in ("scale", "mean", "std"):
            object.__setattr__(self, name, _floats(getattr(self, name)))
        _check_size("resize", (self.resize, self.resize) if type(self.resize) is int else self.resize)
        _check_size("crop", self.crop)
        channels = MODES[self.mode]
        for name, values, count in (
            ("mean", self.mean, channels),
            ("std", self.std, channels),
            ("scale", (self.scale,), 1),
        ):
            ok = isinstance(values, tuple) and len(values) == count
            if not ok or not all(isinstance(v, float) and abs(v) <= MAX_NUMBER for v in values):
                expected = f"numbers up to {MAX_NUMBER:.0f}, {count} of them"
                raise FormatError(f"preprocess: bad {name}", expected=expected, found=reprlib.repr(values))
        if not all(self.std):
            raise FormatError("preprocess: std must not be zero")

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, defaults left out."""
        default = asdict(Preprocess(mean=(0.0,) * len(self.mean), std=(1.0,) * len(self.std), mode=self.mode))
        default["mode"] = "RGB"
        return {k: v for k, v in asdict(self).items() if v != default[k]}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Preprocess:
        """Read what `to_json` gives.

        Raises
        ------
        FormatError
            An unknown key or a value that does not fit.
        """
        unknown = set(data) - set(Preprocess.__dataclass_fields__)
        if unknown:
            raise FormatError(
                f"preprocess: unknown key {sorted(unknown)[0]!r}", expected=", ".join(Preprocess.__dataclass_fields__)
            )
        fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in data.items()}
        mode = fields.get("mode")
        channels = MODES.get(mode, 3) if isinstance(mode, str) else 3
        return Preprocess(**({"mean": (0.0,) * channels, "std": (1.0,) * channels} | fields))


def _floats(value: Any) -> Any:
    """Integers to floats, in a tuple too; what is no number stays, to be refused."""
    if isinstance(value, tuple):
        return tuple(_floats(v) for v in value)
    return float(value) if type(value) is int and abs(value) <= MAX_NUMBER else value


def _check_size(name: str, size: Any) -> None:
    ok = size is None or (isinstance(size, tuple) and len(size) == 2)
    if not ok or not all(type(n) is int and 1 <= n <= MAX_SIDE for n in size or ()):
        raise FormatError(f"preprocess: bad {name}", expected=f"sizes of 1 to {MAX_SIDE}", found=reprlib.repr(size))
