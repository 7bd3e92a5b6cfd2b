#!/usr/bin/env bash
# Subject: OpenVINO 2026.4.1 and the reference of onnx 1.23.2, Softmax in files of opset 12 and below
# Likely guess: a runtime that reads a file of opset 11 computes Softmax as that opset defines it: over all axes from
#   `axis` on, taken as one
# Instead: both compute it over the one axis, as opset 13 has it; onnxruntime goes by the opset
# Why it matters: a classifier that ends in Softmax with axis=1 on maps that are larger than 1 x 1, or an attention of an
#   old exporter, has sums of 1 in other places
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
from onnx.reference import ReferenceEvaluator

x = np.arange(8, dtype=np.float32).reshape(1, 2, 4)
ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name in "xy"]
graph = helper.make_graph([helper.make_node("Softmax", ["x"], ["y"], axis=1)], "softmax", ends[:1], ends[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
onnx.save(model, "softmax.onnx")
session = onnxruntime.InferenceSession("softmax.onnx", providers=["CPUExecutionProvider"])
seen = {
    "onnxruntime": session.run(None, {"x": x})[0],
    "OpenVINO": openvino.Core().compile_model("softmax.onnx", "CPU")(x)[0],
    "the reference": ReferenceEvaluator(model).run(None, {"x": x})[0],
}
print("onnxruntime", onnxruntime.__version__, "openvino", openvino.__version__, "onnx", onnx.__version__)
print("guess: the 8 values of the sample sum to 1")
for name, answer in seen.items():
    print(f"seen:  {name}: {np.sum(answer):.1f}")
sums = [round(float(np.sum(answer))) for answer in seen.values()]
raise SystemExit(0 if sums == [1, 4, 4] else "the behaviour has changed")
PY
