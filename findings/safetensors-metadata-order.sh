#!/usr/bin/env bash
# Subject: safetensors 0.8.0
# Likely guess: the same tensors with the same metadata give the same bytes
# Instead: the metadata are written in another order each time, also within one process: thirty
#   saves give dozens of different files
# Why it matters: a hash of the file does not tell whether the weights are the same;
#   reproducible builds, caches and deduplication by hash miss
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
from safetensors.numpy import save

tensors = {"weight": np.ones(2, np.float32)}
metadata = {key: "x" for key in "abcdefgh"}
with_metadata = len({save(tensors, metadata) for _ in range(30)})
without = len({save(tensors) for _ in range(30)})

print("safetensors", safetensors.__version__)
print("guess: 1 file out of 30 saves")
print(f"seen:  {with_metadata} files with eight metadata, {without} without")
raise SystemExit(0 if with_metadata > 1 and without == 1 else "the behaviour has changed")
PY
