#!/usr/bin/env bash
# Subject: torch 2.13.0 and onnxruntime 1.32.0, logsigmoid in an exported file
# Likely guess: logsigmoid(-20) is -20, since the function is there to be exact where sigmoid is tiny
# Instead: both exporters write Log(Sigmoid(x)); ONNX has no such operator, and onnxruntime answers -inf from -18 on
# Why it matters: scores in logarithms of unlikely classes become -inf, and their sums NaN
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0
venv/bin/python - <<'PY'
import contextlib
import io
import warnings

import numpy as np
import onnxruntime
import torch
from torch import nn

warnings.simplefilter("ignore")


class Network(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def exported(function, x, dynamo):
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(Network(function).eval(), (x,), "network.onnx", dynamo=dynamo)
    session = onnxruntime.InferenceSession("network.onnx", providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]


print("torch", torch.__version__, "onnxruntime", onnxruntime.__version__)

x = torch.tensor([[-30.0, -20.0, -16.0, -8.0, 1.0]])
expected = nn.functional.logsigmoid(x).numpy()
print(f"guess: {expected.ravel()}")
seen = {}
for dynamo in (False, True):
    seen[dynamo] = exported(nn.functional.logsigmoid, x, dynamo).ravel()
    print(f"seen:  {seen[dynamo]}, dynamo={dynamo}")
infinite = [np.isneginf(found).tolist() for found in seen.values()]
raise SystemExit(0 if infinite == [[True, True, False, False, False]] * 2 else "the behaviour has changed")
PY
