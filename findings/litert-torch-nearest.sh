#!/usr/bin/env bash
# Subject: litert-torch 0.10.0, torch.nn.functional.interpolate with mode="nearest"
# Likely guess: the converted network takes the pixels that torch takes
# Instead: it takes those of "nearest-exact": the centres of pixels count, not their corners, so all shrinking and
#   most stretching is off by one pixel; only growing by a whole factor agrees
# Why it matters: masks and feature maps that are resized inside a network shift, and growing by two, which is what
#   is tried first, shows nothing
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
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Resized(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, x):
        return F.interpolate(x, size=(self.size, 1), mode="nearest")


print("litert-torch", version("litert-torch"), "torch", torch.__version__)
print("guess: the same rows as torch")
seen = {}
for old, new in ((6, 12), (6, 3), (7, 5)):
    x = torch.arange(float(old)).reshape(1, 1, old, 1)
    with contextlib.redirect_stdout(io.StringIO()):
        converted = litert_torch.convert(Resized(new).eval(), (x,))
    rows = np.asarray(converted(x.numpy())).ravel()
    plain, exact = (F.interpolate(x, (new, 1), mode=mode).numpy().ravel() for mode in ("nearest", "nearest-exact"))
    seen[new] = np.array_equal(rows, plain)
    print(f"seen:  {old} rows to {new}: {rows.astype(int)}, torch {plain.astype(int)}, nearest-exact {exact.astype(int)}")
    assert np.array_equal(rows, exact)
raise SystemExit(0 if seen == {12: True, 3: False, 5: False} else "the behaviour has changed")
PY
