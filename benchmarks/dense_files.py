"""Files of a network with dense weights, in the formats of other engines."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import onnx_file


class DenseFiles:
    """Files of one network for one batch, each made on first use.

    Parameters
    ----------
    container : Path
    batch : ndarray of float32, shape ``(N, *input_shape)``
    folder : Path
        Folder for the files.

    Attributes
    ----------
    batch : Path
        The input as ``.npy``.
    """

    def __init__(self, container: Path, batch: NDArray[np.float32], folder: Path) -> None:
        self._container, self._batch, self._folder = container, batch, folder
        self.batch = folder / "batch.npy"
        np.save(self.batch, batch)

    def path(self, kind: str) -> Path:
        """The network as ``"dcz"``, ``"onnx"``, ``"one.onnx"`` (for one sample) or ``"pt2"`` (that torch exported)."""
        path = self._folder / f"network.{kind}"
        if not path.exists():
            make = {"dcz": self._copy, "onnx": self._onnx, "one.onnx": self._onnx_for_one, "pt2": self._exported}
            make[kind](path)
        return path

    def _copy(self, path: Path) -> None:
        shutil.copyfile(self._container, path)  # engines write prepared files beside their input file

    def _onnx(self, path: Path) -> None:
        onnx_file.write(self._container, path, len(self._batch))

    def _onnx_for_one(self, path: Path) -> None:
        onnx_file.write(self._container, path, 1)

    def _exported(self, path: Path) -> None:
        import torch

        from dcz.converters.torch.baseline import dense_module

        program = torch.export.export(dense_module(self._container), (torch.from_numpy(self._batch),))
        torch.export.save(program, path)
