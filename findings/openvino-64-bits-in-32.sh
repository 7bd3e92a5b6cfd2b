#!/usr/bin/env bash
# Subject: OpenVINO 2026.4.1, int64 and float64 in an ONNX file on the CPU
# Likely guess: a graph of int64 or float64 computes in these, or is refused
# Instead: it computes in 32 bits: integers wrap or become 0, float64 is cut to the range of float32; the outputs
#   still say int64 and float64
# Why it matters: hashes, time stamps and sums of squares inside a graph are wrong, and no type shows it
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
from onnx import helper


def answers(operator, *inputs):
    kind = helper.np_dtype_to_tensor_dtype(inputs[0].dtype)
    names = "ab"[: len(inputs)]
    ends = [helper.make_tensor_value_info(name, kind, inputs[0].shape) for name in [*names, "y"]]
    graph = helper.make_graph([helper.make_node(operator, list(names), ["y"])], "wide", ends[:-1], ends[-1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "wide.onnx")
    session = onnxruntime.InferenceSession("wide.onnx", providers=["CPUExecutionProvider"])
    one = session.run(None, dict(zip(names, inputs, strict=True)))[0]
    return one, np.asarray(openvino.Core().compile_model("wide.onnx", "CPU")(list(inputs))[0])


print("onnxruntime", onnxruntime.__version__, "openvino", openvino.__version__)
print("guess: both equal")
cases = [
    ("Identity", np.array([2**31, 2**40])),
    ("Mul", np.array([100_000, 70_000]), np.array([100_000, 100_000])),
    ("Mul", np.array([1e300, 1 / 3]), np.array([3.0, 3.0])),
]
changed = []
for operator, *inputs in cases:
    one, other = answers(operator, *inputs)
    print(f"seen:  {operator}: {one} and {other}, both {other.dtype}")
    changed.append(one.dtype == other.dtype and not np.array_equal(one, other))
raise SystemExit(0 if all(changed) else "the behaviour has changed")
PY
