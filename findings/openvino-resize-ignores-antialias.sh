#!/usr/bin/env bash
# Subject: OpenVINO 2026.4.1, ONNX Resize with antialias or exclude_outside on the CPU
# Likely guess: an attribute that a runtime does not compute is refused
# Instead: both are ignored: the answer is that of the plain interpolation
# Why it matters: a network that shrinks images inside its graph gets other numbers than in torch and onnxruntime, by
#   tenths of their range, and nothing says so
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

x = np.random.default_rng(0).random((1, 1, 12, 12)).astype(np.float32)
ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", x.shape), ("y", None))]


def answers(size, **attributes):
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], **attributes)
    sizes = numpy_helper.from_array(np.array([1, 1, size, size], np.int64), "sizes")
    graph = helper.make_graph([node], "resize", ends[:1], ends[1:], [sizes])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), "resize.onnx")
    session = onnxruntime.InferenceSession("resize.onnx", providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0], np.asarray(openvino.Core().compile_model("resize.onnx", "CPU")(x)[0])


print("onnxruntime", onnxruntime.__version__, "openvino", openvino.__version__)
print("guess: equal to rounding, or refused")
ignored = []
for size, mode, flag in ((4, "linear", "antialias"), (4, "cubic", "antialias"), (20, "cubic", "exclude_outside")):
    (_, plain), (one, other) = answers(size, mode=mode), answers(size, mode=mode, **{flag: 1})
    print(f"seen:  {mode}, {flag}=1: {abs(one - other).max():.3f} between them; OpenVINO's is {abs(other - plain).max():.0e} from {flag}=0")
    ignored.append(abs(one - other).max() > 0.01 and abs(other - plain).max() == 0)
raise SystemExit(0 if all(ignored) else "the behaviour has changed")
PY
