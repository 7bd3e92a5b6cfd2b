#!/usr/bin/env bash
# Subject: ml_dtypes 0.6.0 with numpy 2.4.6
# Likely guess: np.sort puts NaN last, as for float16 and float32
# Instead: NaN stays in the middle and the numbers on its two sides are not in order with each
#   other
# Why it matters: percentiles and pruning thresholds of bfloat16 weights are taken from sorted
#   arrays; one NaN makes them silently wrong instead of NaN
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

values = np.array([3, np.nan, 1, 2], np.float32)
half = np.sort(values.astype(np.float16)).tolist()
brain = np.sort(values.astype(ml_dtypes.bfloat16)).astype(float).tolist()

print("numpy", np.__version__, "ml_dtypes", ml_dtypes.__version__)
print("guess:", half)
print("seen: ", brain)
raise SystemExit(0 if np.isnan(half[3]) and not np.isnan(brain[3]) else "the behaviour has changed")
PY
