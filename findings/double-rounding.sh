#!/usr/bin/env bash
# Subject: torch 2.13.0, numpy 2.4.6, ml_dtypes 0.6.0
# Likely guess: float64 to float16, bfloat16 or float8 gives the nearest value, the same in each
#   library
# Instead: numpy rounds once; torch (to float16 and bfloat16) and ml_dtypes go through
#   float32 and round twice, so a value just above a half-way point goes down
# Why it matters: a converter that narrows in numpy and a check that narrows in torch differ in
#   the last bit, for few weights
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 ml_dtypes==0.6.0
venv/bin/python - <<'PY'
import ml_dtypes
import numpy as np
import torch

above_half = lambda bits: 1 + 2.0 ** -(bits + 1) + 2.0**-40
nearest = lambda bits: 1 + 2.0**-bits
seen = {
    "numpy float16": (float(np.float64(above_half(10)).astype(np.float16)), nearest(10)),
    "torch float16": (torch.tensor(above_half(10), dtype=torch.float64).half().item(), nearest(10)),
    "torch bfloat16": (torch.tensor(above_half(7), dtype=torch.float64).bfloat16().item(), nearest(7)),
    "ml_dtypes bfloat16": (float(np.float64(above_half(7)).astype(ml_dtypes.bfloat16)), nearest(7)),
    "ml_dtypes float8": (float(np.float64(above_half(3)).astype(ml_dtypes.float8_e4m3fn)), nearest(3)),
}

print("torch", torch.__version__, "numpy", np.__version__, "ml_dtypes", ml_dtypes.__version__)
for name, (found, right) in seen.items():
    print(f"{name}: guess {right}, seen {found}")
wrong = [name for name, (found, right) in seen.items() if found != right]
raise SystemExit(0 if wrong == list(seen)[1:] else "the behaviour has changed")
PY
