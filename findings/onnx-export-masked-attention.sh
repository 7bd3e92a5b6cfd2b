#!/usr/bin/env bash
# Subject: torch 2.13.0, torch.onnx.export of scaled_dot_product_attention, with onnxruntime
#   1.32.0
# Likely guess: a row whose keys are all masked gives in ONNX what it gives in torch (zeros)
# Instead: it gives the mean of all values: the mask becomes the lowest float32 instead of
#   -infinity, softmax of equal numbers is uniform, and the graph's own guard against NaN never
#   acts
# Why it matters: padded sequences get answers made of other tokens; on unpadded test inputs the
#   two agree
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
import onnxruntime
import torch

warnings.simplefilter("ignore")


class Attention(torch.nn.Module):
    def forward(self, x):
        mask = torch.zeros(7, 7, dtype=torch.bool)
        return torch.nn.functional.scaled_dot_product_attention(x, x, x, attn_mask=mask)


torch.manual_seed(0)
x = torch.randn(1, 2, 7, 8)
torch.onnx.export(Attention(), (x,), "m.onnx", verbose=False)
session = onnxruntime.InferenceSession("m.onnx", providers=["CPUExecutionProvider"])
seen = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
guess, mean = Attention()(x).numpy(), x.mean(2, keepdim=True).numpy()

print("torch", torch.__version__, "onnxruntime", onnxruntime.__version__)
print("guess:", guess[0, 0, 0, :3])
print("seen: ", seen[0, 0, 0, :3], "mean of the values", mean[0, 0, 0, :3])
same = not guess.any() and np.allclose(seen, mean, atol=1e-5)
raise SystemExit(0 if same else "the behaviour has changed")
PY
