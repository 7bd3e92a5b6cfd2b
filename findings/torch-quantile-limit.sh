#!/usr/bin/env bash
# Subject: torch 2.13.0, torch.quantile
# Likely guess: torch.quantile works on a tensor of any size that fits in memory, as
#   numpy.quantile does
# Instead: it refuses more than 16777216 numbers: 'input tensor is too large'
# Why it matters: pruning thresholds and calibration by percentile work on every test network
#   and fail on the first layer of a large one; kthvalue has no such limit
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch

weights = torch.zeros(2**24 + 1)
try:
    seen = str(torch.quantile(weights, 0.9))
except RuntimeError as error:
    seen = f"RuntimeError: {error}"
other = weights.kthvalue(int(0.9 * len(weights))).values.item()

print("torch", torch.__version__)
print("guess: 0.0")
print("seen: ", seen, "| kthvalue", other)
raise SystemExit(0 if "too large" in seen and other == 0 else "the behaviour has changed")
PY
