#!/usr/bin/env bash
# Subject: ml_dtypes 0.6.0 with numpy 2.4.6
# Likely guess: a thousand ones sum to 1000 and their mean is 1, as with float16 in numpy and
#   bfloat16 in torch
# Instead: sum() is 256 and mean() 0.256: numpy adds in bfloat16, one by one, and 256 + 1 rounds
#   to 256
# Why it matters: statistics of bfloat16 weights (means, norms, batch-norm folding, checksums)
#   are wrong by any factor. Pass dtype=np.float32.
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 ml_dtypes==0.6.0
venv/bin/python - <<'PY'
import ml_dtypes
import numpy as np

ones = np.ones(1000, ml_dtypes.bfloat16)
total, mean = float(ones.sum()), float(ones.mean())
half = float(np.ones(1000, np.float16).sum())

print("numpy", np.__version__, "ml_dtypes", ml_dtypes.__version__)
print("guess: sum 1000, mean 1")
print(f"seen:  sum {total}, mean {mean} (float16: sum {half}; dtype=float32: {ones.sum(dtype=np.float32)})")
raise SystemExit(0 if total == 256 and mean < 0.26 and half == 1000 else "the behaviour has changed")
PY
