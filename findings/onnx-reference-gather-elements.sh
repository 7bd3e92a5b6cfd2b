#!/usr/bin/env bash
# Subject: onnx 1.23.2, GatherElements in the reference evaluator
# Likely guess: the reference computes every valid model, whatever its sizes
# Instead: along an axis of 64 elements or more it ends with an error about a reshape; up to 63 it is right
# Why it matters: tests of a converter on small sizes pass, and the judge fails on real ones, with a message that tells of
#   a fault in the model
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
from onnx import helper
from onnx.reference import ReferenceEvaluator


def outcome(length):
    ends = [helper.make_empty_tensor_value_info(name) for name in "xiy"]
    node = helper.make_node("GatherElements", ["x", "i"], ["y"], axis=1)
    graph = helper.make_graph([node], "gather", ends[:2], ends[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    x, places = np.arange(2 * length).reshape(2, length), np.arange(32).reshape(2, 16) % length
    try:
        found = ReferenceEvaluator(model).run(None, {"x": x, "i": places})[0]
    except ValueError as error:
        return str(error)
    return "right" if np.array_equal(found, np.take_along_axis(x, places, 1)) else "wrong"


print("onnx", onnx.__version__)
print("guess: right for 63 and for 64")
seen = {length: outcome(length) for length in (63, 64)}
for length, said in seen.items():
    print(f"seen:  {length}: {said}")
raise SystemExit(0 if seen[63] == "right" and "reshape" in seen[64] else "the behaviour has changed")
PY
