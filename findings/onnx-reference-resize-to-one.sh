#!/usr/bin/env bash
# Subject: onnx 1.23.2 (its reference evaluator) and onnxruntime 1.32.0, Resize to one element
# Likely guess: the reference evaluator takes the positions that the operator's specification states, so
#   pytorch_half_pixel with one output element lies at 0, and a cubic resize of (1, 3) to one element is 1
# Instead: the reference takes -.5, and cubic interpolation gives .8125; ONNX Runtime gives 1
# Why it matters: whoever tests a converter against the reference implements the wrong position
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

x = np.array([1, 3], np.float32).reshape(1, 1, 1, 2)
node = helper.make_node(
    "Resize", ["x", "", "", "sizes"], ["y"], mode="cubic", coordinate_transformation_mode="pytorch_half_pixel"
)
graph = helper.make_graph(
    [node],
    "resize",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 1, 2])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 1, 1])],
    [helper.make_tensor("sizes", TensorProto.INT64, [4], [1, 1, 1, 1])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
reference = ReferenceEvaluator(model).run(None, {"x": x})[0].item()
runtime = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0].item()
stated = "length_resized > 1 ? (x_resized + 0.5) / scale - 0.5 : 0" in (
    onnx.defs.get_schema("Resize", 19).attributes["coordinate_transformation_mode"].description
)

print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__)
print("the specification states position 0 for one element:", stated)
print("guess: reference 1.0, ONNX Runtime 1.0")
print(f"seen:  reference {reference}, ONNX Runtime {runtime}")
raise SystemExit(0 if stated and (reference, runtime) == (0.8125, 1.0) else "the behaviour has changed")
PY
