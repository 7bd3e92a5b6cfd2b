"""Pixels before they become numbers: what is turned, flattened, converted."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from dcz.dcformat import Preprocess
from dcz.runtime.vision.pictures import fit_image

PLAIN = Preprocess()
COLOURS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
ORIENTATION = 0x0112


def exif(orientation):
    block = Image.Exif()
    block[ORIENTATION] = orientation
    return block


def pixels(image, preprocess=PLAIN):
    return np.asarray(fit_image(image, preprocess))


@pytest.mark.parametrize("suffix", ["png", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_followed(tmp_path, suffix, orientation):
    expected = {
        1: COLOURS,
        2: COLOURS[:, ::-1],
        3: COLOURS[::-1, ::-1],
        4: COLOURS[::-1],
        5: COLOURS.swapaxes(0, 1),
        6: np.rot90(COLOURS, -1),
        7: np.rot90(COLOURS, 2).swapaxes(0, 1),
        8: np.rot90(COLOURS),
    }
    path = tmp_path / f"turned.{suffix}"
    Image.fromarray(COLOURS).save(path, exif=exif(orientation), lossless=True)
    with Image.open(path) as image:
        image.load()
        np.testing.assert_array_equal(pixels(image), expected[orientation])


def png_with(kind, data):
    """A picture with a chunk after its header."""
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return lambda content: content[:33] + chunk + content[33:]


GOOD = exif(6).tobytes()
DAMAGED = {
    "cut": GOOD[:-9],
    "in its header": GOOD[:8],
    "no TIFF": b"Exif\0\0hello world",
    "empty": b"Exif\0\0",
    "offset outside": GOOD[:10] + b"\xff\xff\xff\xff" + GOOD[14:],
    "orientation that is none": exif(77).tobytes(),
    "noise": bytes(range(40, 90)),
}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")
@pytest.mark.parametrize("suffix", ["png", "webp", "jpg"])
@pytest.mark.parametrize("block", DAMAGED.values(), ids=DAMAGED)
def test_a_picture_with_a_damaged_exif_block_stays_as_it_is(tmp_path, suffix, block):
    path = tmp_path / f"damaged.{suffix}"
    Image.fromarray(COLOURS).save(path, lossless=True, **({} if suffix == "png" else {"exif": block}))
    if suffix == "png":
        path.write_bytes(png_with(b"eXIf", block.removeprefix(b"Exif\0\0"))(path.read_bytes()))
    with Image.open(path) as image:
        image.load()
        np.testing.assert_array_equal(pixels(image), np.asarray(image))


@pytest.mark.parametrize("text", [b"zz", b"\nexif\n 3\nzz\n", b"\nexif\n 12\n" + GOOD[:9].hex().encode()])
def test_a_damaged_exif_profile_in_text_too(tmp_path, text):
    path = tmp_path / "damaged.png"
    Image.fromarray(COLOURS).save(path)
    path.write_bytes(png_with(b"tEXt", b"Raw profile type exif\0" + text)(path.read_bytes()))
    with Image.open(path) as image:
        image.load()
        np.testing.assert_array_equal(pixels(image), COLOURS)


MODES = ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA", "RGBX", "RGBa", "La"]


@pytest.mark.parametrize("mode", [*MODES, "I;16", "I;16L", "I;16B"])
@pytest.mark.parametrize("preprocess", [PLAIN, Preprocess(mode="L", mean=(0,), std=(1,))], ids=["RGB", "L"])
def test_every_mode_of_pillow_is_read(mode, preprocess):
    image = fit_image(Image.new(mode, (9, 6)), preprocess)
    assert (image.mode, image.size) == (preprocess.mode, (9, 6))


def test_premultiplied_grey_is_what_it_was_before():
    grey = Image.fromarray(np.full((6, 9), 200, np.uint8))
    alpha = Image.fromarray(np.tile(np.arange(9, dtype=np.uint8) * 31, (6, 1)))
    plain = Image.merge("LA", [grey, alpha])
    np.testing.assert_allclose(pixels(plain.convert("La")).astype(int), pixels(plain), atol=3)
