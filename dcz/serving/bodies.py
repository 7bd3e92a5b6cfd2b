"""Bodies of requests to arrays: sizes are checked before anything is decoded."""

from __future__ import annotations

import asyncio
import io
import json
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from ..core.errors import InputError
from ..runtime.model import Model
from ..runtime.vision.images import FORMATS, NPY_MAGIC

BODY_SECONDS = 30.0
"""Seconds within which a body must have come."""


class Limits(NamedTuple):
    """Greatest sizes of what a request holds."""

    body_bytes: int = 16 << 20
    pixels: int = 25_000_000
    samples: int = 64
    requests: int = 64


async def read_body(request: Request, most: int) -> bytes:
    """The body of a request.

    Raises
    ------
    HTTPException
        413: it is longer than `most` bytes. 408: it does not come.
    """
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > most:
        raise _too_large(most)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise _too_large(most)
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {BODY_SECONDS:g} s") from None
    return bytes(body)


def images(body: bytes, model: Model, limits: Limits) -> NDArray[np.float32]:
    """The samples in an image file, or in a ``.npy`` file of images or inputs; shape ``(N, *input_shape)``.

    Raises
    ------
    InputError
        It is neither, or does not fit the network.
    HTTPException
        413: too many pixels or samples.
    """
    content = _array(body, limits) if body.startswith(NPY_MAGIC) else _image(body, limits.pixels)
    samples = model.preprocess([content])
    check_samples(len(samples), limits.samples)
    return samples


def arrays(body: bytes, model: Model, limits: Limits) -> dict[str, NDArray[Any]]:
    """The inputs in a JSON document ``{"inputs": ...}``, by name; shapes ``(N, *shape)``.

    ``inputs`` is a nested list, or for several inputs an object of them.

    Raises
    ------
    InputError
        It is no such document. Names and shapes are checked when the model is called.
    HTTPException
        413: too many samples.
    """
    try:
        given = json.loads(body)["inputs"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InputError("not a JSON document", expected='{"inputs": [...]}') from None
    by_name = given if isinstance(given, dict) else {model.input_names[0]: given}
    found = model.arguments.from_lists(by_name)
    check_samples(len(next(iter(found.values()))), limits.samples)
    return found


def check_samples(count: int, most: int) -> None:
    """Refuse a request of no samples, or of more than `most`."""
    if count > most:
        raise HTTPException(413, f"{count} samples in a request; {most} at most")
    if not count:
        raise InputError("no samples")


def _array(body: bytes, limits: Limits) -> NDArray[Any]:
    try:
        return np.lib.format.read_array(io.BytesIO(body), allow_pickle=False)
    except (ValueError, MemoryError, OverflowError) as error:
        raise InputError("not a readable .npy file", found=str(error)) from None


def _image(body: bytes, most: int) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(body), formats=FORMATS)
    except Image.DecompressionBombError:
        raise _too_many_pixels(most) from None
    except Exception as error:  # decoders raise whatever they like on broken bytes
        found = "another format" if isinstance(error, UnidentifiedImageError) else str(error) or repr(error)
        raise InputError("not a readable image", expected="PNG, JPEG, WebP, BMP or .npy", found=found) from None
    if image.width * image.height > most:
        raise _too_many_pixels(most)
    return image


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"the body is longer than {most:,} bytes")


def _too_many_pixels(most: int) -> HTTPException:
    return HTTPException(413, f"the image has more than {most:,} pixels")
