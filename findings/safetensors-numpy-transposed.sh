#!/usr/bin/env bash
# Subject: safetensors 0.8.0, safetensors.numpy, with numpy 2.4.6
# Likely guess: a transposed array is saved with its own values, or refused, as
#   safetensors.torch refuses it
# Instead: the shape is that of the transposed array and the bytes are those of the memory
#   behind it, so the values come back in the wrong places, without a warning
# Why it matters: converters transpose weights between layouts (HWIO to OIHW, in-out to out-in)
#   just before they save. The file has the right shapes and loads everywhere.
#   np.ascontiguousarray before the save mends it.
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet safetensors==0.8.0 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
import safetensors
from safetensors.numpy import load, save

weight = np.arange(6.0).reshape(2, 3).T
seen = load(save({"weight": weight}))["weight"]
fixed = load(save({"weight": np.ascontiguousarray(weight)}))["weight"]

print("safetensors", safetensors.__version__, "numpy", np.__version__)
print("guess:", weight.tolist(), "or an error")
print("seen: ", seen.tolist())
changed = np.array_equal(seen, weight) or not np.array_equal(fixed, weight)
raise SystemExit("the behaviour has changed" if changed else 0)
PY
