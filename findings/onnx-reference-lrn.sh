#!/usr/bin/env bash
# Subject: onnx 1.23.2, LRN in the reference evaluator
# Likely guess: the reference is right where runtimes differ
# Instead: it normalises the first channel, and hands the others back by the bias alone
# Why it matters: two runtimes differ on this operator (a bias that is not 1), and the judge sides with neither
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 onnx==1.23.2
venv/bin/python - <<'PY'
import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

x = np.ones((1, 6, 1, 1), np.float32)
ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name in "xy"]
node = helper.make_node("LRN", ["x"], ["y"], size=3, alpha=0.5, beta=0.75, bias=1.0)
graph = helper.make_graph([node], "lrn", ends[:1], ends[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
seen = ReferenceEvaluator(model).run(None, {"x": x})[0].ravel()

counted = np.array([2, 3, 3, 3, 3, 2])  # channels within one of each
right = (1 + 0.5 / 3 * counted) ** -0.75
print("onnx", onnx.__version__)
print("guess:", right.round(4))
print("seen: ", seen.round(4))
raise SystemExit(0 if abs(seen[0] - right[0]) < 1e-6 and (seen[1:] == 1).all() else "the behaviour has changed")
PY
