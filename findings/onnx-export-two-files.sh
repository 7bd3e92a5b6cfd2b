#!/usr/bin/env bash
# Subject: torch 2.13.0, torch.onnx.export, with onnx 1.23.2 and onnxscript 0.7.2
# Likely guess: a model far below protobuf's 2 GB is one .onnx file
# Instead: 1600 weights, 6.4 kB, are in a second file, m.onnx.data (external_data=True is the
#   default); the .onnx alone cannot be used
# Why it matters: people send, cache and hash the .onnx only, and its size says nothing about
#   the model
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 onnx==1.23.2 onnxscript==0.7.2
venv/bin/python - <<'PY'
import os
import warnings

import torch

warnings.simplefilter("ignore")
torch.onnx.export(torch.nn.Linear(40, 40), (torch.ones(2, 40),), "m.onnx", verbose=False)
files = {name: os.path.getsize(name) for name in sorted(os.listdir()) if name.startswith("m.onnx")}

print("torch", torch.__version__)
print("guess: m.onnx")
print("seen: ", files)
raise SystemExit(0 if files.get("m.onnx.data", 0) >= 6400 else "the behaviour has changed")
PY
