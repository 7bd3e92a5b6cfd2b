#!/usr/bin/env bash
# Subject: OpenVINO 2026.4.1, QuantizeLinear with a zero point that is odd, on the CPU
# Likely guess: a value is divided by the scale, rounded half to even, and then the zero point is added, as ONNX says
# Instead: the zero point is added first: halves are rounded the other way where it is odd
# Why it matters: scales are often powers of two, so halves are common, and a quantized network is bit-equal between
#   runtimes with one zero point and not with the next
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
from onnx import TensorProto, helper, numpy_helper

x = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], np.float32)
ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape), helper.make_tensor_value_info("y", TensorProto.UINT8, x.shape)]


def answers(zero_point):
    constants = [numpy_helper.from_array(np.float32(1), "scale"), numpy_helper.from_array(np.uint8(zero_point), "zero")]
    node = helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["y"])
    graph = helper.make_graph([node], "quantize", ends[:1], ends[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "quantize.onnx")
    session = onnxruntime.InferenceSession("quantize.onnx", providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0], np.asarray(openvino.Core().compile_model("quantize.onnx", "CPU")(x)[0])


print("onnxruntime", onnxruntime.__version__, "openvino", openvino.__version__)
print("guess: equal")
equal = {}
for zero_point in (128, 127):
    one, other = answers(zero_point)
    equal[zero_point] = np.array_equal(one, other)
    print(f"seen:  zero point {zero_point}: {one} and {other}")
raise SystemExit(0 if equal == {128: True, 127: False} else "the behaviour has changed")
PY
