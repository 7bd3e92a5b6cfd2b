#!/usr/bin/env bash
# Subject: torch 2.13.0, torch.onnx.export, with onnx 1.23.2, onnxscript 0.7.2, onnxruntime
#   1.32.0
# Likely guess: a model in training mode is exported as a whole for inference (as the parameter
#   training=EVAL says) or for training
# Instead: half and half: batch norm is folded with its running statistics, as for inference,
#   while Dropout stays active and drops half of the outputs in onnxruntime
# Why it matters: a forgotten model.eval() yields a file with the right shapes and random
#   answers
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0
venv/bin/python - <<'PY'
import warnings

import numpy as np
import onnx
import onnxruntime
import torch

warnings.simplefilter("ignore")
layers = torch.nn.Linear(8, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5)
model = torch.nn.Sequential(*layers).train()
torch.onnx.export(model, (torch.randn(16, 8),), "m.onnx", verbose=False)
operators = [node.op_type for node in onnx.load("m.onnx").graph.node]
session = onnxruntime.InferenceSession("m.onnx", providers=["CPUExecutionProvider"])
values = np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32)
zeros = float((session.run(None, {session.get_inputs()[0].name: values})[0] == 0).mean())

print("torch", torch.__version__, "onnxruntime", onnxruntime.__version__)
print("guess: ['Gemm'], no zeros")
print(f"seen:  {operators}, {zeros:.0%} zeros")
raise SystemExit(0 if operators == ["Gemm", "Dropout"] and 0.3 < zeros < 0.7 else "the behaviour has changed")
PY
