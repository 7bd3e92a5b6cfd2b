"""Image files, folders and arrays to network inputs.

What an image becomes
    It is turned as its EXIF orientation says; transparent parts are laid over black (the colour that crops are padded
    with); palette, CMYK and 16-bit images become 8-bit. Then the container's `Preprocess` is followed: channel order,
    resize, centre crop, ``(pixel * scale - mean) / std``. Resizing is Pillow's, which torchvision uses on images too.
Without `Preprocess` in the container
    An image must have the network's height and width; it is scaled to 0..1 and a warning is logged.
``.npy`` files and arrays
    Float arrays are network inputs already: one of the input's shape, or a batch of them. uint8 arrays are images,
    (H, W) or (H, W, C) with C of 1, 3 or 4, or a batch of them, (N, H, W, C). Files are never unpickled.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ...dcformat import InputError, Preprocess, Shape
from ..kernels.contract import F32

Item: TypeAlias = "str | os.PathLike[str] | Image.Image | NDArray[Any]"
"""A path, a PIL image, or an array."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".npy")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
_CHANNELS = {1: "L", 3: "RGB"}

_log = logging.getLogger("dcz.runtime")


def find(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Replace folders by the images in them.

    Parameters
    ----------
    paths : iterable of path
        Files, which are taken as they are, and folders, whose files with a suffix of `SUFFIXES` are taken in the order
        of their names; folders in them are left out.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        A path that does not exist, or a folder without images.
    """
    files: list[str] = []
    for path in map(Path, paths):
        if path.is_dir():
            found = sorted(str(file) for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
            if not found:
                raise InputError("no image in this folder", path=path, expected=", ".join(SUFFIXES))
            files += found
        elif path.exists():
            files.append(str(path))
        else:
            raise InputError("no such file or folder", path=path)
    return files


def samples(items: Iterable[Item], preprocess: Preprocess | None, shape: Shape) -> Iterator[tuple[str, F32]]:
    """Turn images into network inputs, one at a time.

    Parameters
    ----------
    items : iterable of path, PIL.Image.Image or ndarray
    preprocess : Preprocess or None
        The container's.
    shape : tuple of int
        Shape of one input.

    Yields
    ------
    name : str
        The path; ``path[3]`` for the fourth of a batch in a ``.npy`` file; ``image 3`` for what came without a path.
    sample : ndarray of float32, shape `shape`

    Raises
    ------
    InputError
        What can't be read, or does not fit the network; names the file.
    """
    for index, item in enumerate(items):
        if isinstance(item, (str, os.PathLike)):
            name, content = os.fspath(item), read_file(item)
        else:
            name, content = f"image {index}", item
        try:
            batch = _to_batch(content, preprocess, shape)
        except InputError as error:
            raise error.at(name) from None
        if len(batch) == 1:
            yield name, batch[0]
        else:
            yield from ((f"{name}[{i}]", sample) for i, sample in enumerate(batch))


def read_file(path: str | os.PathLike[str]) -> Image.Image | NDArray[Any]:
    """Read an image or an array whole, so that whatever is wrong with its file shows here.

    Raises
    ------
    InputError
        No file, no image of a known format, or a damaged one.
    """
    try:
        if os.fspath(path).lower().endswith(".npy"):
            with open(path, "rb") as file:
                return np.lib.format.read_array(file, allow_pickle=False)
        with Image.open(path, formats=FORMATS) as image:
            image.load()
            return image
    except FileNotFoundError:
        raise InputError("no such file", path=path) from None
    except IsADirectoryError:
        raise InputError("this is a folder", path=path, expected="an image", hint="name the images in it") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError("image is too large", path=path, expected=f"{Image.MAX_IMAGE_PIXELS} pixels at most") from None
    except PermissionError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path) from None
    except Exception as error:  # decoders raise whatever they like on broken bytes
        found = "another format" if isinstance(error, UnidentifiedImageError) else str(error) or repr(error)
        expected = "PNG, JPEG, WebP, BMP or .npy"
        raise InputError("not a readable image", path=path, expected=expected, found=found) from None


def _to_batch(content: Image.Image | NDArray[Any], preprocess: Preprocess | None, shape: Shape) -> F32:
    """Make inputs (N, *shape) of an image or of an array."""
    if isinstance(content, Image.Image):
        return _from_image(content, preprocess, shape)[None]
    array = np.asarray(content)
    if np.issubdtype(array.dtype, np.floating):
        batch = array.reshape(-1, *shape) if array.shape[-len(shape) :] == shape else array
        if batch.shape[1:] != shape or array.ndim > len(shape) + 1:
            raise InputError("array does not fit the network", expected=f"shape {shape}", found=f"shape {array.shape}")
        with np.errstate(over="ignore"):
            return batch.astype(np.float32, copy=False)
    if array.dtype == np.uint8:
        if array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4)):
            array = array[None]
        if array.ndim == 3:
            array = array[..., None]
        if array.ndim == 4 and array.shape[3] in (1, 3, 4) and 0 not in array.shape:
            images = (Image.fromarray(a[..., 0] if a.shape[2] == 1 else a) for a in array)
            return np.stack([_from_image(image, preprocess, shape) for image in images])
    raise InputError(
        "array is neither an image nor an input",
        expected=f"uint8 of shape (H, W), (H, W, 3) or (H, W, 4), or float32 of shape {shape}",
        found=f"{array.dtype} of shape {array.shape}",
    )


def _from_image(image: Image.Image, preprocess: Preprocess | None, shape: Shape) -> F32:
    steps = preprocess or _assumed(shape)
    pixels = np.asarray(fit_image(image, steps), dtype=np.float32)
    pixels = pixels[None] if steps.mode == "L" else pixels.transpose(2, 0, 1)
    if steps.mode == "BGR":
        pixels = pixels[::-1]
    mean, std = (np.array(v, dtype=np.float32)[:, None, None] for v in (steps.mean, steps.std))
    sample: F32 = np.ascontiguousarray((pixels * np.float32(steps.scale) - mean) / std)
    if sample.shape != shape and not (len(shape) == 1 and sample.size == prod(shape)):
        raise InputError(
            "image does not fit the network",
            expected=f"input of shape {shape}",
            found=f"{sample.shape} after preprocessing",
            hint="resize the image" if preprocess is None else "the container's preprocessing is at fault",
        )
    return sample.reshape(shape)


def fit_image(image: Image.Image, preprocess: Preprocess) -> Image.Image:
    """Turn an image upright, 8-bit, opaque, grey or RGB, and give it its size: all before pixels become numbers."""
    image = _flat(ImageOps.exif_transpose(image))
    image = image.convert("L" if preprocess.mode == "L" else "RGB")
    if preprocess.resize is not None:
        size = _resized(image.size, preprocess.resize)
        image = image.resize(size, Image.Resampling[preprocess.interpolation.upper()])
    return image if preprocess.crop is None else _centre(image, preprocess.crop)


def _assumed(shape: Shape) -> Preprocess:
    mode = _CHANNELS.get(shape[0]) if len(shape) == 3 else None
    if mode is None:
        raise InputError(
            "the container does not say how an image becomes its input",
            expected="preprocessing in the file, or float32 arrays",
            hint="convert again with --preprocess",
        )
    _log.warning("no preprocessing in the container: pixels are scaled to 0..1 and nothing else")
    return Preprocess(mode=mode, mean=(0.0,) * shape[0], std=(1.0,) * shape[0])


def _flat(image: Image.Image) -> Image.Image:
    """Make an image 8-bit and opaque."""
    if image.mode.startswith("I"):  # 16-bit grey, as 16-bit or as 32-bit integers
        wide = np.asarray(image).astype(np.int64)
        return Image.fromarray((np.clip(wide, 0, 65535) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
    return image


def _resized(size: tuple[int, int], target: int | tuple[int, int]) -> tuple[int, int]:
    """Width and height after a resize, as torchvision computes them."""
    if isinstance(target, tuple):
        return target[1], target[0]
    width, height = size
    if width <= height:
        return target, max(1, int(target * height / width))
    return max(1, int(target * width / height)), target


def _centre(image: Image.Image, crop: tuple[int, int]) -> Image.Image:
    """Cut from the centre, as torchvision does; what lies outside of the image is black."""
    height, width = crop
    if image.width < width or image.height < height:
        framed = Image.new(image.mode, (max(width, image.width), max(height, image.height)))
        framed.paste(image, (max(width - image.width, 0) // 2, max(height - image.height, 0) // 2))
        image = framed
    left, top = round((image.width - width) / 2.0), round((image.height - height) / 2.0)
    return image.crop((left, top, left + width, top + height))
