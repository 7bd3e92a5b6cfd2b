"""How an image becomes a network's input: stored in the container, so that an answer needs no other file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .errors import FormatError

MODES = {"RGB": 3, "BGR": 3, "L": 1}
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box")


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
        One a channel, in the order of `mode`.
    """

    mode: str = "RGB"
    resize: int | tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
    interpolation: str = "bilinear"
    scale: float = 1.0 / 255.0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise FormatError("preprocess: unknown mode", expected=", ".join(MODES), found=repr(self.mode))
        if self.interpolation not in INTERPOLATIONS:
            raise FormatError(
                "preprocess: unknown interpolation", expected=", ".join(INTERPOLATIONS), found=repr(self.interpolation)
            )
        for name in ("resize", "crop"):
            size = getattr(self, name)
            if name == "resize" and type(size) is int:
                size = (size, size)
            ok = size is None or (len(size) == 2 and all(type(n) is int and 1 <= n <= 1 << 14 for n in size))
            if not ok:
                raise FormatError(f"preprocess: bad {name}", expected="sizes of 1 to 16384", found=repr(size))
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != MODES[self.mode] or not all(isinstance(v, float) and abs(v) < 1e6 for v in values):
                raise FormatError(f"preprocess: bad {name}", expected=f"{MODES[self.mode]} numbers", found=repr(values))
        if not all(self.std) or not isinstance(self.scale, float):
            raise FormatError("preprocess: std must not be zero and scale must be a number")

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
        fields: dict[str, Any] = dict(data)
        channels = MODES.get(fields.get("mode", "RGB"), 3)
        fields.setdefault("mean", (0.0,) * channels)
        fields.setdefault("std", (1.0,) * channels)
        try:
            for name in ("mean", "std"):
                fields[name] = tuple(float(v) for v in fields[name])
            if "scale" in fields:
                fields["scale"] = float(fields["scale"])
            for name in ("resize", "crop"):
                if isinstance(fields.get(name), list):
                    fields[name] = tuple(fields[name])
            return Preprocess(**fields)
        except TypeError as error:
            raise FormatError(f"preprocess: {error}") from None
