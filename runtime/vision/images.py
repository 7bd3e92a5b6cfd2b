"""Conversion of image files and arrays to network inputs.

What an image becomes
    It is turned as its EXIF orientation says; transparent parts are laid over black (the colour that crops are padded
    with); palette, CMYK and 16-bit images become 8-bit. Then the container's `Preprocess` is followed: channel order,
    resize, centre crop, ``(pixel * scale - mean) / std``. Resizing is Pillow's, which torchvision uses on images too.
Without `Preprocess` in the container
    An image must have the network's height and width; it is scaled to 0..1 and a warning is logged.
``.npy`` files and arrays
    Float arrays are network inputs already: one of the input's shape, or a batch of them. uint8 arrays are one image,
    (H, W) or (H, W, C) with C of 1, 3 or 4, or a batch of them, (N, H, W, C). Networks of grey images take (N, H, W)
    too, unless it may be one image: with 3 or 4 channels first, or 2 last. Files are never unpickled.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import IO, Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ...core.ranges import is_url, read_all
from ...dcformat import InputError, Preprocess, Shape
from ..kernels.contract import F32
from .arrays import as_array
from .pictures import check_resized, fit_image

Item: TypeAlias = "str | os.PathLike[str] | Image.Image | NDArray[Any]"
"""A path, a PIL image, or an array."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".npy")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
NPY_MAGIC = np.lib.format.MAGIC_PREFIX
ARRAY_CHANNELS = (1, 3, 4)
"""Channels of an image in an array: grey, RGB, or RGB with alpha."""
RESIZE = "resize the image, or let the container do it: dcz convert --preprocess imagenet, or a JSON file"
IMAGE_SHAPES = "(H, W), (H, W, C) or (N, H, W, C) with C of 1, 3 or 4"

_MODES = {1: "L", 3: "RGB"}

_log = logging.getLogger("dcz.runtime")


class Inputs:
    """Makes the inputs of a network. Thread-safe.

    Parameters
    ----------
    preprocess : Preprocess or None
        The container's preprocessing. Without it, the first image logs a warning.
    shape : tuple of int
        Shape of one input.
    """

    def __init__(self, preprocess: Preprocess | None, shape: Shape) -> None:
        self._given = preprocess
        self._shape = shape

    def samples(self, items: Item | Iterable[Item]) -> Iterator[tuple[str, F32]]:
        """Turn images into network inputs, one at a time.

        Parameters
        ----------
        items : path, PIL.Image.Image or ndarray, or an iterable of them

        Yields
        ------
        name : str
            The path, or ``image 3`` for the fourth item if it has no path. A sample of a batch has its index appended:
            ``path[3]``.
        sample : ndarray of float32, shape `shape`

        Raises
        ------
        InputError
            An item cannot be read, or does not fit the network; the error names the file.
        """
        for name, sample in self.attempts(items):
            if isinstance(sample, InputError):
                raise sample
            yield name, sample

    def attempts(self, items: Item | Iterable[Item]) -> Iterator[tuple[str, F32 | InputError]]:
        """Like `samples`, but an item that cannot be read, or does not fit, gives its error, and the rest goes on."""
        listed = [items] if _is_item(items) else items
        for index, item in enumerate(cast("Iterable[Item]", listed)):
            name = os.fspath(item) if isinstance(item, (str, os.PathLike)) else f"image {index}"
            try:
                batch = self._batch(item)
                for i, content in enumerate(batch):
                    yield name if len(batch) == 1 else f"{name}[{i}]", self._sample(content)
            except InputError as error:
                error.at(name)
                yield name, error

    @cached_property
    def _preprocess(self) -> Preprocess:
        if self._given is not None:
            return self._given
        mode = _MODES.get(self._shape[0]) if len(self._shape) == 3 else None
        if mode is None:
            raise InputError(
                "the container does not say how an image becomes its input",
                expected="preprocessing in the file, or float32 arrays",
                hint="convert again with --preprocess",
            )
        _log.warning("no preprocessing in the container: pixels are scaled to 0..1 and nothing else")
        return Preprocess(mode=mode, mean=(0.0,) * self._shape[0], std=(1.0,) * self._shape[0])

    def _batch(self, item: Item) -> list[Image.Image] | NDArray[Any]:
        """The content of an item: images, and arrays that are each an image or an input."""
        content = read_file(item, self._given) if isinstance(item, (str, os.PathLike)) else item
        if isinstance(content, Image.Image):
            return [content]
        array = as_array(content)
        if np.issubdtype(array.dtype, np.floating):
            return self._inputs(array)
        if array.dtype == np.uint8:
            return _images(array, self._preprocess.mode == "L")
        raise InputError(
            "array is neither an image nor an input",
            expected=f"uint8 of shape {IMAGE_SHAPES}, or float32 of shape {self._shape}",
            found=f"{array.dtype} of shape {array.shape}",
        )

    def _inputs(self, array: NDArray[Any]) -> NDArray[Any]:
        batch = array[None] if array.shape == self._shape else array
        if batch.shape[1:] != self._shape:
            expected = f"shape {self._shape}, or (N, {', '.join(map(str, self._shape))})"
            raise InputError("array does not fit the network", expected=expected, found=f"shape {array.shape}")
        return batch

    def _sample(self, content: Image.Image | NDArray[Any]) -> F32:
        if isinstance(content, Image.Image):
            return self._from_image(content)
        if content.dtype == np.uint8:
            return self._from_image(Image.fromarray(content[..., 0] if content.shape[2] == 1 else content))
        with np.errstate(over="ignore"):
            return content.astype(np.float32, copy=False)

    def _from_image(self, image: Image.Image) -> F32:
        steps = self._preprocess
        check_resized(image.size, steps)
        _load(image)
        pixels = np.asarray(fit_image(image, steps))
        pixels = pixels[None] if steps.mode == "L" else pixels.transpose(2, 0, 1)
        if pixels.shape != self._shape and not (len(self._shape) == 1 and pixels.size == self._shape[0]):
            raise InputError(
                "image does not fit the network",
                expected=f"input of shape {self._shape}",
                found=f"{pixels.shape} after preprocessing",
                hint=RESIZE if self._given is None else "the container's preprocessing is at fault",
            )
        if steps.mode == "BGR":
            pixels = pixels[::-1]
        mean, std = (np.array(v, dtype=np.float32)[:, None, None] for v in (steps.mean, steps.std))
        sample: F32 = np.ascontiguousarray((pixels.astype(np.float32) * np.float32(steps.scale) - mean) / std)
        return sample.reshape(self._shape)


def _is_item(items: Item | Iterable[Item]) -> bool:
    """Whether an object is one item rather than a sequence of items; arrays and tensors are one item."""
    return isinstance(items, (str, os.PathLike, Image.Image)) or hasattr(items, "__array__")


def _images(array: NDArray[np.uint8], grey: bool) -> NDArray[np.uint8]:
    """An image, or a batch of images, as (N, H, W, C). `grey`: whether the network takes grey images."""
    shape = array.shape
    if 0 not in shape:
        match array.ndim:
            case 2:
                return array[None, ..., None]
            case 3 if shape[2] in ARRAY_CHANNELS:
                return array[None]
            case 3 if grey and shape[0] not in (3, 4) and shape[2] != 2:
                return array[..., None]
            case 4 if shape[3] in ARRAY_CHANNELS:
                return array
    raise InputError(
        "array may be one image or several" if array.ndim == 3 else "array is not an image",
        expected=f"uint8 of shape {IMAGE_SHAPES}",
        found=f"shape {shape}",
        hint="channels come last: numpy.moveaxis(array, -3, -1); grey images have one: array[..., None]"
        if array.ndim in (3, 4)
        else None,
    )


def _load(image: Image.Image) -> None:
    """Decode an image that may have been opened without decoding."""
    try:
        image.load()
    except Exception as error:  # decoders raise whatever they like on broken bytes
        raise InputError("not a readable image", found=str(error) or repr(error)) from None


def _opened(path: str | os.PathLike[str]) -> IO[bytes]:
    return io.BytesIO(read_all(path)) if is_url(path) else open(path, "rb")


def read_file(path: str | os.PathLike[str], preprocess: Preprocess | None = None) -> Image.Image | NDArray[Any]:
    """Read an image or an array completely, so that every fault of its file is found here.

    Parameters
    ----------
    path : str or os.PathLike
        Or an address (``s3://...``), which is read through fsspec.
    preprocess : Preprocess, optional
        If its resize would make an image too large, the image is refused before decoding.

    Raises
    ------
    InputError
        The file does not exist, is no image of a known format, is damaged, or is too large.
    """
    try:
        with _opened(path) as file:
            content = file if file.seekable() else io.BytesIO(file.read())  # a pipe
            if content.read(len(NPY_MAGIC)) == NPY_MAGIC:
                content.seek(0)
                return np.lib.format.read_array(content, allow_pickle=False)
            with Image.open(content, formats=FORMATS) as image:
                if preprocess is not None:
                    check_resized(image.size, preprocess)
                image.load()
                return image
    except InputError as error:
        raise error.at(path) from None
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
