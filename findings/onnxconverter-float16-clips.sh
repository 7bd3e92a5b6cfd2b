#!/usr/bin/env bash
# Subject: onnxconverter-common 1.16.0, float16.convert_float_to_float16
# Likely guess: 20000 and 60000 stay, since float16 reaches 65504, and 1e-9 becomes 0
# Instead: values above 10000 become 10000 and values from 0 to 1e-7 become 1e-7, by the
#   defaults of max_finite_val and min_positive_val
# Why it matters: a converted model has other weights than any cast would give, and tiny weights
#   grow a hundredfold; the copy in onnxruntime has other defaults
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet onnxconverter-common==1.16.0 onnx==1.23.2 numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnxconverter_common import float16

weights = np.array([20000, 60000, 1e-9, 0], np.float32)
describe = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [4])
graph = helper.make_graph(
    [helper.make_node("Add", ["x", "w"], ["y"])], "g", [describe("x")], [describe("y")],
    [numpy_helper.from_array(weights, "w")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
seen = numpy_helper.to_array(float16.convert_float_to_float16(model).graph.initializer[0])

print("onnxconverter-common", version("onnxconverter-common"))
print("guess:", weights.astype(np.float16).tolist())
print("seen: ", seen.tolist())
same = seen[0] == seen[1] == 10000 and 0 < seen[2] < 2e-7 and seen[3] == 0
raise SystemExit(0 if same else "the behaviour has changed")
PY
