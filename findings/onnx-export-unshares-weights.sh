#!/usr/bin/env bash
# Subject: torch 2.13.0, torch.onnx.export, with onnx 1.23.2 and onnxscript 0.7.2
# Likely guess: the weights go into the file as they are; folding batch norm is left to the
#   runtime
# Instead: the exporter folds batch norm into the convolution, so a layer of 17 shared values
#   has hundreds of distinct ones under the old name; optimize=False keeps the 17
# Why it matters: clustered and quantised weights are lost before any ONNX tool sees them, and
#   the file no longer compresses
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 onnx==1.23.2 onnxscript==0.7.2
venv/bin/python - <<'PY'
import warnings

import numpy as np
import onnx
import torch

warnings.simplefilter("ignore")
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Conv2d(8, 16, 3, bias=False), torch.nn.BatchNorm2d(16)).eval()
codebook = torch.linspace(-1, 1, 17)
with torch.no_grad():
    model[0].weight.copy_(codebook[torch.randint(0, 17, model[0].weight.shape)])
    model[1].running_var.uniform_(0.5, 2)


def distinct(optimize):
    """Count the distinct convolution weights in the exported file."""
    torch.onnx.export(model, (torch.ones(1, 8, 8, 8),), "m.onnx", optimize=optimize, verbose=False)
    weights = {tensor.name: tensor for tensor in onnx.load("m.onnx").graph.initializer}
    return len(np.unique(onnx.numpy_helper.to_array(weights["0.weight"])))


default, plain = distinct(True), distinct(False)
print("torch", torch.__version__, "onnx", onnx.__version__)
print("guess: 17 distinct weights")
print(f"seen:  {default} distinct weights ({plain} with optimize=False)")
raise SystemExit(0 if default > 100 and plain == 17 else "the behaviour has changed")
PY
