"""ONNX Runtime as a reference: a file as a torch module that only asks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ....dcformat import ConversionError


class Session(nn.Module):
    """Answers of an ONNX file by ONNX Runtime, on the CPU.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ConversionError
        onnxruntime is not installed, or cannot load the file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            import onnxruntime
        except ImportError:
            hint = "pip install onnxruntime; without --against, dcz verify needs nothing"
            raise ConversionError("the answers of an ONNX file need onnxruntime", hint=hint) from None
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no common class
            raise ConversionError(f"onnxruntime cannot load the file: {str(error).splitlines()[0]}") from error

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Map a batch for each input to the outputs."""
        values = zip(self._session.get_inputs(), inputs, strict=True)
        given = {value.name: x.numpy().astype(NUMPY_TYPES.get(value.type, np.float32)) for value, x in values}
        answers: list[Any] = self._session.run(None, given)
        return tuple(torch.from_numpy(np.asarray(answer, WIDER.get(answer.dtype.name))) for answer in answers)


NUMPY_TYPES: dict[str, Any] = {
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
"""Element types of inputs other than fp32."""
WIDER = {"float16": np.float32}
"""Types of answers that are widened."""
