#!/usr/bin/env bash
# Subject: torch 2.13.0, `//` and `>>` of negative numbers by the exporter with dynamo=False
# Likely guess: x // 3 is exported as torch computes it, and as torch.div(x, 3, rounding_mode="floor") is
# Instead: `//` is exported as a division that rounds towards zero, of integers and floats, and `>>` likewise; the
#   same division written as torch.div is right, and so is the exporter with dynamo=True
# Why it matters: coordinates and window numbers that are negative are off by one, in one spelling of two
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

x = torch.tensor([[7, -7, 8, -8]], dtype=torch.int32)
spellings = {
    "x // 3": lambda x: x // 3,
    "torch.div(x, 3, rounding_mode='floor')": lambda x: torch.div(x, 3, rounding_mode="floor"),
    "x >> 1": lambda x: x >> 1,
}
right = {}
for text, function in spellings.items():
    expected = function(x).numpy()
    print(f"guess: {text}: {expected.ravel()}")
    for dynamo in (False, True):
        found = exported(function, x, dynamo)
        right[text, dynamo] = np.array_equal(found, expected)
        print(f"seen:  {text}: {found.ravel()}, dynamo={dynamo}")
wrong = {key for key, same in right.items() if not same}
raise SystemExit(0 if wrong == {("x // 3", False), ("x >> 1", False)} else "the behaviour has changed")
PY
