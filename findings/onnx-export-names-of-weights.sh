#!/usr/bin/env bash
# Subject: torch 2.13.0, torch.onnx.export, with onnx 1.23.2 and onnxscript 0.7.2
# Likely guess: initializers have the names and shapes of the state dict, as for the same layer
#   on a 2-D input
# Instead: a Linear on a 3-D input becomes MatMul with a transposed weight called val_0; a bias
#   of zeros is gone
# Why it matters: weights cannot be matched to the checkpoint by name, and only those of some
#   layers: it depends on the rank of the example input
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 onnx==1.23.2 onnxscript==0.7.2
venv/bin/python - <<'PY'
import warnings

import onnx
import torch

warnings.simplefilter("ignore")


def initializers(shape, zero_bias=False):
    """Export a Linear(5, 7) and list the tensors in the file."""
    layer = torch.nn.Linear(5, 7)
    if zero_bias:
        torch.nn.init.zeros_(layer.bias)
    torch.onnx.export(layer, (torch.ones(shape),), "m.onnx", verbose=False)
    return {tensor.name: tuple(tensor.dims) for tensor in onnx.load("m.onnx").graph.initializer}


flat, deep, zeros = initializers((2, 5)), initializers((2, 3, 5)), initializers((2, 5), True)
print("torch", torch.__version__, "onnx", onnx.__version__)
print("guess: {'weight': (7, 5), 'bias': (7,)} each time")
print("seen:  2-D", flat, "| 3-D", deep, "| 2-D with a bias of zeros", zeros)
same = flat["weight"] == (7, 5) and "weight" not in deep and (5, 7) in deep.values() and "bias" not in zeros
raise SystemExit(0 if same else "the behaviour has changed")
PY
