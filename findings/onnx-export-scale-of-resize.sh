#!/usr/bin/env bash
# Subject: torch 2.13.0, torch.onnx.export of interpolate(scale_factor, antialias), with
#   onnxruntime 1.32.0
# Likely guess: interpolate(scale_factor=0.6, antialias=True) gives in onnxruntime what it gives
#   in torch
# Instead: answers differ by tenths: torch samples with the scale that was asked for (0.6), the
#   exporter writes only the output's size (4 of 7), from which the runtime takes 4/7. With
#   size= the two agree
# Why it matters: whoever lowers a Resize must carry the scale as well as the size; sizes where
#   the product is whole hide the error
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
torch.manual_seed(0)
x = torch.randn(1, 1, 7, 7)


def difference(**how):
    """Largest difference between torch and onnxruntime."""

    class Resize(torch.nn.Module):
        def forward(self, x):
            return torch.nn.functional.interpolate(x, mode="bilinear", antialias=True, **how)

    torch.onnx.export(Resize(), (x,), "m.onnx", verbose=False)
    session = onnxruntime.InferenceSession("m.onnx", providers=["CPUExecutionProvider"])
    seen = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    return float(np.abs(seen - Resize()(x).numpy()).max())


by_scale, by_size = difference(scale_factor=0.6), difference(size=(4, 4))
print("torch", torch.__version__, "onnxruntime", onnxruntime.__version__)
print("guess: differences below 1e-5")
print(f"seen:  {by_scale:.3f} by scale_factor, {by_size:.1e} by size")
raise SystemExit(0 if by_scale > 0.05 and by_size < 1e-5 else "the behaviour has changed")
PY
