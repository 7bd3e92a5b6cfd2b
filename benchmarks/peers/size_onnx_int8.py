"""An ONNX file whose weights ONNX Runtime quantised to 8 bits, a scale a tensor. Lossy, and blind to zeros."""

import sys
import tempfile
from pathlib import Path

from onnxruntime.quantization import QuantType, quantize_dynamic


def main(model, weights):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_dynamic(model, path, weight_type=QuantType.QUInt8)
        print(path.stat().st_size)


if __name__ == "__main__":
    main(*sys.argv[1:])
