#!/usr/bin/env bash
# Subject: litert-torch 0.10.0 with ai-edge-litert 2.3.0, the runtime of its own release
# Likely guess: what the converter takes without an error, the runtime that it is installed with runs
# Instead: topk and sort are written as STABLEHLO_SORT, an operator that the interpreter lacks: the conversion goes
#   well, and the file does not open
# Why it matters: a build that converts and never opens the file passes; the error comes on the device
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 torch==2.13.0 litert-torch==0.10.0 ai-edge-litert==2.3.0
venv/bin/python - <<'PY'
import contextlib
import io
from importlib.metadata import version

import litert_torch
import torch
from ai_edge_litert.interpreter import Interpreter
from torch import nn


class Best(nn.Module):
    def forward(self, x):
        return x.topk(3, -1)[0]


print("litert-torch", version("litert-torch"), "ai-edge-litert", version("ai-edge-litert"))
print("guess: the file that is written opens")
with contextlib.redirect_stdout(io.StringIO()):
    litert_torch.convert(Best().eval(), (torch.randn(1, 8),)).export("best.tflite")
try:
    Interpreter("best.tflite").allocate_tensors()
except (RuntimeError, ValueError) as error:
    said = str(error).splitlines()[0]
    print("seen: ", said[:70])
    raise SystemExit(0 if "STABLEHLO_SORT" in said else "the behaviour has changed") from None
raise SystemExit("the behaviour has changed")
PY
