"""Image files, folders and arrays to inputs."""

import io
import logging
import os
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from dcz.dcformat import InputError, Preprocess
from dcz.runtime.vision import images, pictures
from dcz.runtime.vision.images import Inputs

PLAIN = Preprocess(scale=1.0)
GREY = Preprocess(mode="L", scale=1.0, mean=(0.0,), std=(1.0,))
COLOURS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def one(item, preprocess=PLAIN, shape=(3, 6, 9)):
    ((_, sample),) = Inputs(preprocess, shape).samples([item])
    assert (sample.dtype, sample.shape) == (np.float32, shape)
    return sample


def planes(array):
    return array.transpose(2, 0, 1).astype(np.float32)


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp", "jpg", "PNG"])
def test_formats(tmp_path, suffix):
    path = tmp_path / f"image.{suffix}"
    picture = Image.fromarray(COLOURS)
    if suffix == "webp":
        picture.save(path, lossless=True)
    else:
        picture.save(path)
    expected = np.asarray(Image.open(path).convert("RGB")) if suffix == "jpg" else COLOURS
    np.testing.assert_array_equal(one(path), planes(expected))
    np.testing.assert_array_equal(one(str(path)), planes(expected))


def test_arrays_and_pil_images_equal_files():
    np.testing.assert_array_equal(one(COLOURS), planes(COLOURS))
    np.testing.assert_array_equal(one(Image.fromarray(COLOURS)), planes(COLOURS))


def test_channel_orders():
    np.testing.assert_array_equal(one(COLOURS, Preprocess(mode="BGR", scale=1.0)), planes(COLOURS)[::-1])
    grey = np.asarray(Image.fromarray(COLOURS).convert("L"))
    np.testing.assert_array_equal(one(COLOURS, GREY, (1, 6, 9))[0], grey)


def test_grey_becomes_colour():
    grey = COLOURS[..., 0]
    for item in (grey, grey[..., None], Image.fromarray(grey)):
        np.testing.assert_array_equal(one(item), np.stack([grey] * 3))


def test_transparent_parts_are_black(tmp_path):
    alpha = np.full((6, 9), 255, np.uint8)
    alpha[2:4] = 0
    rgba = np.dstack([COLOURS, alpha])
    expected = planes(COLOURS) * (alpha > 0)
    np.testing.assert_array_equal(one(rgba), expected)
    la = Image.merge("LA", [Image.fromarray(COLOURS[..., 0]), Image.fromarray(alpha)])
    np.testing.assert_array_equal(one(la)[1], COLOURS[..., 0] * (alpha > 0))
    palette = Image.fromarray(COLOURS).quantize(8)
    colour = palette.getpixel((0, 0))
    palette.save(tmp_path / "palette.png", transparency=colour)
    hidden = np.asarray(palette) == colour
    found = one(tmp_path / "palette.png")
    assert not found[:, hidden].any()
    np.testing.assert_array_equal(found[:, ~hidden], planes(np.asarray(palette.convert("RGB")))[:, ~hidden])


def test_palette_and_cmyk():
    palette = Image.fromarray(COLOURS).quantize(16)
    np.testing.assert_array_equal(one(palette), planes(np.asarray(palette.convert("RGB"))))
    cmyk = Image.fromarray(COLOURS).convert("CMYK")
    np.testing.assert_array_equal(one(cmyk), planes(COLOURS))


def test_sixteen_bits(tmp_path):
    wide = (COLOURS[..., 0].astype(np.uint16) << 8) + 77
    Image.fromarray(wide).save(tmp_path / "wide.png")
    np.testing.assert_array_equal(one(tmp_path / "wide.png", GREY, (1, 6, 9))[0], COLOURS[..., 0])


def test_one_bit():
    bits = Image.fromarray(COLOURS[..., 0] > 99)
    np.testing.assert_array_equal(one(bits, GREY, (1, 6, 9))[0], np.where(COLOURS[..., 0] > 99, 255, 0))


def test_scale_mean_and_deviation():
    steps = Preprocess(mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    expected = (planes(COLOURS) / 255 - np.array([0.1, 0.2, 0.3])[:, None, None]) / np.array([0.5, 0.25, 2])[
        :, None, None
    ]
    np.testing.assert_allclose(one(COLOURS, steps), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "resize", "crop"),
    [
        ((40, 31), 16, (15, 15)),
        ((31, 40), 16, (16, 12)),
        ((33, 21), (20, 24), None),
        ((33, 21), (20, 24), (9, 8)),
        ((9, 30), None, (14, 11)),
        ((10, 7), None, (13, 12)),
        ((300, 2), 1, (1, 1)),
    ],
)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_resize_and_crop_are_those_of_torchvision(size, resize, crop, interpolation):
    """Against torchvision's rules (functional.resize, functional.center_crop), in plain array terms."""
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    if resize is not None:
        height, width = (
            resize
            if isinstance(resize, tuple)
            else (
                (resize, int(resize * size[1] / size[0]))
                if size[0] < size[1]
                else (int(resize * size[0] / size[1]), resize)
            )
        )
        picture = picture.resize((width, height), Image.Resampling[interpolation.upper()])
    expected = np.asarray(picture)
    if crop is not None:
        short = [max(0, wanted - have) for wanted, have in zip(crop, expected.shape, strict=False)]
        expected = np.pad(
            expected, [(short[0] // 2, (short[0] + 1) // 2), (short[1] // 2, (short[1] + 1) // 2), (0, 0)]
        )
        top, left = (round((have - wanted) / 2.0) for have, wanted in zip(expected.shape, crop, strict=False))
        expected = expected[top : top + crop[0], left : left + crop[1]]
    steps = Preprocess(resize=resize, crop=crop, interpolation=interpolation, scale=1.0)
    np.testing.assert_array_equal(one(pixels, steps, (3, *expected.shape[:2])), planes(expected))


def test_an_address_is_read_through_fsspec():
    memory = pytest.importorskip("fsspec").filesystem("memory")
    written = io.BytesIO()
    Image.fromarray(COLOURS).save(written, "PNG")
    memory.pipe_file("/views/a.png", written.getvalue())
    np.testing.assert_array_equal(one("memory://views/a.png"), planes(COLOURS))
    with pytest.raises(InputError, match=r"memory://views/b\.png: no such file"):
        one("memory://views/b.png")


def test_flat_inputs():
    digit = COLOURS[..., 0]
    np.testing.assert_array_equal(one(digit, GREY, (54,)), digit.reshape(-1))


def test_without_preprocessing(caplog):
    with caplog.at_level(logging.WARNING, "dcz.runtime"):
        np.testing.assert_allclose(one(COLOURS, None), planes(COLOURS) / 255, atol=1e-7)
        inputs = Inputs(None, (3, 6, 9))
        caplog.clear()
        for _ in range(2):
            list(inputs.samples([COLOURS] * 3))
    assert caplog.text.count("no preprocessing") == 1, "one warning for a network, not one an image"
    with pytest.raises(InputError, match=r"image 0: image does not fit .*\(3, 8, 8\).*\(3, 6, 9\).*resize"):
        one(COLOURS, None, (3, 8, 8))
    for shape in ((5, 6, 9), (54,)):
        with pytest.raises(InputError, match="--preprocess"):
            one(COLOURS, None, shape)


def test_float_arrays_are_inputs(tmp_path):
    batch = np.random.default_rng(2).normal(size=(3, 3, 6, 9))
    np.testing.assert_array_equal(one(batch[0], None), batch[0].astype(np.float32))
    np.save(tmp_path / "batch.npy", batch)
    named = list(Inputs(PLAIN, (3, 6, 9)).samples([tmp_path / "batch.npy"]))
    assert [name for name, _ in named] == [f"{tmp_path / 'batch.npy'}[{i}]" for i in range(3)]
    np.testing.assert_array_equal(np.stack([sample for _, sample in named]), batch.astype(np.float32))


def test_batches_of_images(tmp_path):
    stack = np.stack([COLOURS, 255 - COLOURS])
    np.save(tmp_path / "images.npy", stack)
    named = list(Inputs(PLAIN, (3, 6, 9)).samples([tmp_path / "images.npy"]))
    np.testing.assert_array_equal(named[1][1], planes(255 - COLOURS))
    grey = list(Inputs(GREY, (1, 6, 9)).samples([stack[..., 0]]))
    np.testing.assert_array_equal(grey[1][1][0], 255 - COLOURS[..., 0])


@pytest.mark.parametrize("shape", [(6, 9), (6, 9, 1), (6, 9, 3), (6, 9, 4), (1, 6, 9, 3)], ids=str)
def test_one_array_is_one_image_by_itself_as_in_a_list(shape):
    array = np.random.default_rng(4).integers(0, 256, shape, dtype=np.uint8)
    inputs = Inputs(PLAIN, (3, 6, 9))
    ((name, alone),) = inputs.samples(array)
    ((_, listed),) = inputs.samples([array])
    assert name == "image 0"
    np.testing.assert_array_equal(alone, listed)


def test_a_batch_in_one_array_is_read_as_its_parts_are():
    batch = np.stack([COLOURS, 255 - COLOURS])
    whole, parts = (list(Inputs(PLAIN, (3, 6, 9)).samples(items)) for items in (batch, list(batch)))
    assert [name for name, _ in whole] == ["image 0[0]", "image 0[1]"]
    np.testing.assert_array_equal([sample for _, sample in whole], [sample for _, sample in parts])
    floats = np.stack([sample for _, sample in whole]).astype(np.float64)
    np.testing.assert_array_equal([sample for _, sample in Inputs(PLAIN, (3, 6, 9)).samples(floats)], floats)


def test_what_can_be_an_array_is_one_item_too():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return COLOURS

        def __iter__(self):
            raise AssertionError("its rows are no images")

    ((_, sample),) = Inputs(PLAIN, (3, 6, 9)).samples(Tensor())
    np.testing.assert_array_equal(sample, planes(COLOURS))


@pytest.mark.parametrize("shape", [(3, 6, 9), (4, 6, 9), (6, 9, 2)], ids=str)
@pytest.mark.parametrize("preprocess", [PLAIN, GREY], ids=["colour", "grey"])
def test_what_may_be_one_image_or_several_is_refused(shape, preprocess):
    inputs = Inputs(preprocess, (len(preprocess.mean), 6, 9))
    for items in (np.zeros(shape, np.uint8), [np.zeros(shape, np.uint8)]):
        with pytest.raises(
            InputError, match=r"one image or several .*\(H, W, C\) or \(N, H, W, C\).*moveaxis"
        ) as raised:
            list(inputs.samples(items))
        assert str(shape) in str(raised.value)


def test_grey_images_without_a_channel_are_for_grey_networks():
    stack = np.stack([COLOURS[..., 0]] * 5)
    assert len(list(Inputs(GREY, (1, 6, 9)).samples(stack))) == 5
    with pytest.raises(InputError, match="one image or several"):
        list(Inputs(PLAIN, (3, 6, 9)).samples(stack))


def test_a_batch_is_made_one_sample_at_a_time(monkeypatch):
    made = []
    fit = images.fit_image
    monkeypatch.setattr(images, "fit_image", lambda image, steps: made.append(image) or fit(image, steps))
    samples = Inputs(PLAIN, (3, 6, 9)).samples(np.stack([COLOURS] * 3))
    next(samples)
    assert len(made) == 1


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((3, 6, 8), np.float32),
        np.zeros((1, 2, 3, 6, 9), np.float32),
        np.zeros((6, 9, 3), np.int64),
        np.zeros((0, 9, 3), np.uint8),
        np.zeros((2, 6, 9, 2), np.uint8),
        np.zeros((), np.uint8),
        np.float32(3),
        np.array(["a"]),
        [[1], [1, 2]],
    ],
)
def test_arrays_that_fit_nothing(bad):
    with pytest.raises(InputError, match=r"image 0: (array|not an array)"):
        list(Inputs(PLAIN, (3, 6, 9)).samples([bad]))


@pytest.mark.parametrize("name", ["text.png", "empty.jpg", "cut.png", "pickle.npy", "cut.npy", "page.tiff"])
def test_unreadable_files_are_named(tmp_path, name):
    whole = tmp_path / "whole.png"
    Image.fromarray(COLOURS).save(whole)
    np.save(tmp_path / "whole.npy", np.ones(99))
    content = {
        "text.png": b"hello",
        "empty.jpg": b"",
        "cut.png": whole.read_bytes()[:90],
        "cut.npy": (tmp_path / "whole.npy").read_bytes()[:-9],
    }
    if name == "pickle.npy":
        np.save(tmp_path / name, np.array([{}], dtype=object), allow_pickle=True)
    elif name == "page.tiff":
        Image.fromarray(COLOURS).save(tmp_path / name)
    else:
        (tmp_path / name).write_bytes(content[name])
    with pytest.raises(InputError, match=f"{name}: not a readable image"):
        one(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
@pytest.mark.parametrize("kind", ["png", "npy"])
def test_pipes_are_read_by_what_comes(tmp_path, kind):
    content, pipe = io.BytesIO(), tmp_path / "pipe"
    if kind == "png":
        Image.fromarray(COLOURS).save(content, "png")
    else:
        np.save(content, COLOURS)
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(content.getvalue(),))
    writer.start()
    np.testing.assert_array_equal(one(pipe), planes(COLOURS))
    writer.join()


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.png: no such file"):
        one(tmp_path / "nothing.png")
    with pytest.raises(InputError, match="this is a folder"):
        one(tmp_path)


def test_decompression_bombs(tmp_path, monkeypatch):
    path = tmp_path / "bomb.png"
    Image.fromarray(COLOURS).save(path)
    for limit in (10, 40):  # above twice the limit Pillow raises, above it warns
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(InputError, match=r"bomb\.png: image is too large \(expected \d+ pixels"):
            one(path)


def test_a_picture_that_resizing_would_blow_up_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_RESIZED_PIXELS", 999)
    Image.new("RGB", (400, 1)).save(tmp_path / "line.png")
    content = (tmp_path / "line.png").read_bytes()
    (tmp_path / "line.png").write_bytes(content[: content.index(b"IDAT") + 8])  # decoding it would fail
    steps = Preprocess(resize=2, crop=(2, 2))
    with pytest.raises(InputError, match=r"line\.png: image is too large after resizing .*999 .*800 x 2, from 400 x 1"):
        one(tmp_path / "line.png", steps, (3, 2, 2))
    with pytest.raises(InputError, match=r"image 0: image is too large after resizing .*2 x 800"):
        one(Image.new("RGB", (1, 400)), steps, (3, 2, 2))
    one(Image.new("RGB", (1000, 1)), Preprocess(crop=(1, 1)), (3, 1, 1))  # nothing is resized


def test_a_lazy_picture_that_cannot_be_decoded(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:90])
    with Image.open(tmp_path / "cut.png") as image, pytest.raises(InputError, match="image 0: not a readable image"):
        one(image)
