#!/usr/bin/env bash
# Subject: onnxruntime 1.32.0, Sigmoid of large negative numbers on the CPU
# Likely guess: its answers are right to a few units in the last place, and rise with x
# Instead: below -8 they are off by 1e-4 and more of themselves, sigmoid(-17) is above sigmoid(-16),
#   and from -18 on they are 0; the error is about 1e-7 of 1
# Why it matters: where all answers are small, as those of a detector on an image with nothing in
#   it, another runtime differs from this one by more than any sensible tolerance, and is right
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
venv/bin/python - <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Sigmoid", ["x"], ["y"])], "sigmoid", ends[:1], ends[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

x = np.array([-18, -17, -16, -12, -8, -4], np.float32)
seen = session.run(None, {"x": x})[0]
exact = 1 / (1 + np.exp(-x.astype(np.float64)))
print("onnxruntime", onnxruntime.__version__)
print("guess: relative errors below 1e-6")
for number, value, right in zip(x, seen, exact, strict=True):
    print(f"seen:  sigmoid({number:.0f}) = {value:.4g}, {abs(value / right - 1):.1e} off {right:.4g}")
falls = seen[1] > seen[2]
raise SystemExit(0 if falls and seen[0] == 0 and abs(seen / exact - 1)[4] > 1e-4 else "the behaviour has changed")
PY
