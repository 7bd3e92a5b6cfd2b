#!/usr/bin/env bash
# Subject: numpy 2.4.6 with ml_dtypes 0.6.0
# Likely guess: np.save refuses bfloat16 and float8, or np.load gives them back
# Instead: both succeed and the element type is lost: bfloat16 comes back as V2 (two opaque
#   bytes), float8_e4m3fn and int4 both as V1
# Why it matters: an .npz of quantised weights cannot tell int4 from float8, and the loss shows
#   only when it is read. Save a view as integers and the type's name beside it.
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

seen = {}
for name in ("bfloat16", "float8_e4m3fn", "int4"):
    np.save("weights.npy", np.ones(3, getattr(ml_dtypes, name)))
    seen[name] = str(np.load("weights.npy").dtype)

print("numpy", np.__version__, "ml_dtypes", ml_dtypes.__version__)
print("guess: an error, or the same element types")
print("seen: ", seen)
expected = {"bfloat16": "|V2", "float8_e4m3fn": "|V1", "int4": "|V1"}
raise SystemExit(0 if seen == expected else "the behaviour has changed")
PY
