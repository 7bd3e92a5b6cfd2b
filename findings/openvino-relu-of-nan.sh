#!/usr/bin/env bash
# Subject: OpenVINO 2026.4.1, Relu, Clip, HardSigmoid and MaxPool of NaN on the CPU
# Likely guess: NaN, as in torch and onnxruntime's activations
# Instead: Relu and Clip to 0..6 make it 0, HardSigmoid 1, and MaxPool passes it over;
#   LeakyRelu, Sigmoid and HardSwish leave it
# Why it matters: a network of which one weight is NaN answers finite, plausible numbers from the first
#   Relu on, so a check for NaN in the answers finds nothing
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 onnx==1.23.2 openvino==2026.4.1
venv/bin/python - <<'PY'
import numpy as np
import onnx
import openvino
from onnx import TensorProto, helper, numpy_helper


def answer(operator, x, more=(), **attributes):
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", x.shape), ("y", None))]
    nodes = [helper.make_node(operator, ["x", *(name for name, _ in more)], ["y"], **attributes)]
    constants = [numpy_helper.from_array(np.float32(value), name) for name, value in more]
    graph = helper.make_graph(nodes, "nan", ends[:1], ends[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "nan.onnx")
    return float(np.asarray(openvino.Core().compile_model("nan.onnx", "CPU")(x)[0]).ravel()[0])


nan = np.full((1, 1, 1, 4), np.nan, np.float32)
window = np.array([[[[np.nan, 1], [2, 3]]]], np.float32)
seen = {
    "Relu": answer("Relu", nan),
    "Clip": answer("Clip", nan, [("low", 0), ("high", 6)]),
    "HardSigmoid": answer("HardSigmoid", nan),
    "MaxPool": answer("MaxPool", window, kernel_shape=[2, 2]),
    "LeakyRelu": answer("LeakyRelu", nan),
    "Sigmoid": answer("Sigmoid", nan),
    "HardSwish": answer("HardSwish", nan),
}
print("openvino", openvino.__version__)
print("guess: NaN from each")
for name, value in seen.items():
    print(f"seen:  {name}: {value}")
finite = [name for name, value in seen.items() if np.isfinite(value)]
raise SystemExit(0 if finite == ["Relu", "Clip", "HardSigmoid", "MaxPool"] else "the behaviour has changed")
PY
