#!/usr/bin/env bash
# Subject: safetensors 0.8.0, safetensors.numpy, with ml_dtypes 0.6.0
# Likely guess: load(bytes) and load_file(path) read the same files
# Instead: save writes bfloat16 and load_file reads it; load, given the same bytes, raises
#   KeyError 'BF16'
# Why it matters: code that reads weights from memory (an archive, an upload, a cache) fails on
#   half of today's checkpoints, although its tests with paths pass
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet safetensors==0.8.0 numpy==2.4.6 ml_dtypes==0.6.0
venv/bin/python - <<'PY'
import ml_dtypes
import numpy as np
import safetensors
from safetensors.numpy import load, load_file, save

data = save({"weight": np.ones(3, ml_dtypes.bfloat16)})
with open("weights.safetensors", "wb") as file:
    file.write(data)
by_path = load_file("weights.safetensors")["weight"].dtype
try:
    by_bytes = str(load(data)["weight"].dtype)
except KeyError as error:
    by_bytes = f"KeyError {error}"

print("safetensors", safetensors.__version__)
print("guess: both bfloat16")
print(f"seen:  load_file {by_path}, load {by_bytes}")
changed = by_path != ml_dtypes.bfloat16 or by_bytes != "KeyError 'BF16'"
raise SystemExit("the behaviour has changed" if changed else 0)
PY
