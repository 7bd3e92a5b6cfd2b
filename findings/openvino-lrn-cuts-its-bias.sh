#!/usr/bin/env bash
# Subject: OpenVINO 2026.4.1, the ONNX operator LRN on the CPU
# Likely guess: local response normalisation divides by (bias + alpha / size * sum of squares) ** beta
# Instead: the bias is cut to an integer: 1.9 counts as 1, and .5 as 0
# Why it matters: networks with a bias of 1 or 2, as AlexNet has it, agree with onnxruntime, and others are wrong by a
#   factor, without a word
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1
venv/bin/python - <<'PY'
import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper

x = np.ones((1, 6, 1, 1), np.float32)
ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name in "xy"]


def answers(bias):
    """The last channel of both: two squares of 1 are summed there."""
    node = helper.make_node("LRN", ["x"], ["y"], size=3, alpha=0.5, beta=0.75, bias=bias)
    graph = helper.make_graph([node], "lrn", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "lrn.onnx")
    session = onnxruntime.InferenceSession("lrn.onnx", providers=["CPUExecutionProvider"])
    both = session.run(None, {"x": x})[0], openvino.Core().compile_model("lrn.onnx", "CPU")(x)[0]
    return [float(np.ravel(answer)[-1]) for answer in both]


print("onnxruntime", onnxruntime.__version__, "openvino", openvino.__version__)
seen = {}
for bias in (2.0, 1.9, 1.0):
    seen[bias] = answers(bias)
    print(f"guess: bias {bias}: {(bias + 0.5 / 3 * 2) ** -0.75:.4f} by both")
    print(f"seen:  bias {bias}: onnxruntime {seen[bias][0]:.4f}, OpenVINO {seen[bias][1]:.4f}")
cut = abs(seen[1.9][1] - seen[1.0][1]) < 1e-6 and abs(seen[1.9][0] - seen[1.9][1]) > 0.2
raise SystemExit(0 if cut and abs(seen[2.0][0] - seen[2.0][1]) < 1e-6 else "the behaviour has changed")
PY
