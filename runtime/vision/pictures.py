"""Image normalisation before conversion to numbers: upright, 8-bit, opaque, grey or RGB, resized and cropped."""

from __future__ import annotations

import logging

import numpy as np
from PIL import ExifTags, Image

from ...dcformat import InputError, Preprocess
from ...dcformat.constants import MAX_RESIZED_PIXELS

_log = logging.getLogger("dcz.runtime")

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that makes an image upright, by EXIF orientation."""

_BRIDGES = {"La": "LA", "LAB": "RGB"}
"""Intermediate modes: Pillow converts these modes to few others directly."""


def fit_image(image: Image.Image, preprocess: Preprocess) -> Image.Image:
    """Make an image upright, 8-bit, opaque, grey or RGB, and resize and crop it.

    Parameters
    ----------
    image : PIL.Image.Image
        Loaded.
    preprocess : Preprocess

    Raises
    ------
    InputError
        The image would be too large after resizing.
    """
    image = _opaque(_upright(image)).convert("L" if preprocess.mode == "L" else "RGB")
    check_resized(image.size, preprocess)
    if preprocess.resize is not None:
        size = _resized(image.size, preprocess)
        image = image.resize(size, Image.Resampling[preprocess.interpolation.upper()])
    return image if preprocess.crop is None else _centre(image, preprocess.crop)


def check_resized(size: tuple[int, int], preprocess: Preprocess) -> None:
    """Refuse an image that resizing would make too large: a line one pixel wide could take all memory.

    Parameters
    ----------
    size : tuple of int
        Width and height, upright or not.
    preprocess : Preprocess

    Raises
    ------
    InputError
    """
    width, height = _resized(size, preprocess)
    if preprocess.resize is not None and width * height > MAX_RESIZED_PIXELS:
        raise InputError(
            "image is too large after resizing",
            expected=f"at most {MAX_RESIZED_PIXELS} pixels",
            found=f"{width} x {height}, from {size[0]} x {size[1]}",
            hint="cut it to the part that matters",
        )


def _upright(image: Image.Image) -> Image.Image:
    """Rotate an image by its EXIF orientation; no change without an EXIF block, or with a damaged one."""
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception as error:  # Pillow raises many kinds of errors on damaged blocks
        _log.debug("EXIF block is damaged: %r; the image is not turned", error)
        return image
    return image if turn is None else image.transpose(turn)


def _opaque(image: Image.Image) -> Image.Image:
    """Make an image 8-bit, and lay transparent parts over black."""
    if image.mode.startswith("I"):  # 16-bit grey, as 16-bit or as 32-bit integers
        return Image.fromarray((np.clip(np.asarray(image), 0, 65535) >> 8).astype(np.uint8))
    if image.mode in _BRIDGES:
        image = image.convert(_BRIDGES[image.mode])
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
    return image


def _resized(size: tuple[int, int], preprocess: Preprocess) -> tuple[int, int]:
    """Width and height after the resize, as torchvision computes them."""
    width, height = size
    target = preprocess.resize
    if target is None:
        return size
    if isinstance(target, tuple):
        return target[1], target[0]
    if width <= height:
        return target, max(1, int(target * height / width))
    return max(1, int(target * width / height)), target


def _centre(image: Image.Image, crop: tuple[int, int]) -> Image.Image:
    """Cut from the centre, as torchvision does; pixels outside the image are black."""
    height, width = crop
    left, top = _edge(image.width, width), _edge(image.height, height)
    return image.crop((left, top, left + width, top + height))


def _edge(have: int, wanted: int) -> int:
    """Start of a crop; negative if the image is smaller."""
    return -((wanted - have) // 2) if have < wanted else round((have - wanted) / 2.0)
