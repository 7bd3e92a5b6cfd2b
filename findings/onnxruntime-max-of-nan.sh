#!/usr/bin/env bash
# Subject: onnxruntime 1.32.0, MaxPool, ReduceMax and ArgMax of values with a NaN on the CPU
# Likely guess: the maximum of values with a NaN is NaN, as in torch and numpy
# Instead: it depends on the place: pooling keeps the NaN of a window's last element alone, ReduceMax that
#   of the first element alone; elsewhere the answer is a finite number, and ArgMax passes NaN over
# Why it matters: a network that has broken (an overflow, a damaged weight) still answers finite numbers,
#   and comparing it with torch tells of a difference in one place and not in the next
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


def answer(operator, x, kind=TensorProto.FLOAT, **attributes):
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape), helper.make_tensor_value_info("y", kind, None)]
    graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"], **attributes)], "max", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0].item()


print("onnxruntime", onnxruntime.__version__)
print("guess: NaN, and the index of NaN")
seen = []
for place in range(4):
    x = np.arange(1, 5, dtype=np.float32)
    x[place] = np.nan
    pooled = answer("MaxPool", x.reshape(1, 1, 2, 2), kernel_shape=[2, 2])
    reduced = answer("ReduceMax", x.reshape(1, 4), axes=[1])
    index = answer("ArgMax", x.reshape(1, 4), TensorProto.INT64, axis=1)
    print(f"seen:  of {x}: MaxPool {pooled}, ReduceMax {reduced}, ArgMax {index} (numpy: {np.max(x)}, {np.argmax(x)})")
    seen.append((np.isnan(pooled), np.isnan(reduced)))
places = [(False, True), (False, False), (False, False), (True, False)]
raise SystemExit(0 if seen == places else "the behaviour has changed")
PY
