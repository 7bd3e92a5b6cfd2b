#!/usr/bin/env bash
# Subject: torch 2.13.0, ml_dtypes 0.6.0
# Likely guess: a value too large for a float8 does the same in each kind and each library
# Instead: torch saturates to 448 in e4m3fn (infinity too), gives infinity in e5m2 and NaN in
#   e4m3fnuz; ml_dtypes gives NaN where torch gives 448
# Why it matters: a scale that is a little too small yields clipped weights in one tool and NaN
#   in the next; a check that looks for NaN or infinity finds nothing in e4m3fn
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

large = [1e6, float("inf")]
kinds = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz")
seen = {kind: torch.tensor(large).to(getattr(torch, kind)).float().tolist() for kind in kinds}
other = np.array(large, np.float32).astype(ml_dtypes.float8_e4m3fn).astype(float).tolist()

print("torch", torch.__version__, "ml_dtypes", ml_dtypes.__version__)
print("guess: the same for each kind")
print(f"seen:  {large} becomes {seen}; in ml_dtypes float8_e4m3fn {other}")
same = str(seen) == str({kinds[0]: [448.0, 448.0], kinds[1]: large[1:] * 2, kinds[2]: [float("nan")] * 2})
raise SystemExit(0 if same and np.isnan(other).all() else "the behaviour has changed")
PY
