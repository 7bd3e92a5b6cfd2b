#!/usr/bin/env bash
# Subject: torch 2.13.0, torch.load
# Likely guess: torch.load looks at the content, so a file opens the same by path and as an open
#   file
# Instead: a path that ends in .safetensors goes to the safetensors reader (which must be
#   installed); the same bytes as a file object load as torch.save wrote them
# Why it matters: a checkpoint that was renamed, or a download cache that names files freely,
#   loads in one code path and fails in the other with 'header too large'
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 safetensors==0.8.0
venv/bin/python - <<'PY'
import torch

torch.save({"weight": torch.ones(2)}, "weights.safetensors")
with open("weights.safetensors", "rb") as file:
    as_file = torch.load(file)
try:
    by_path = str(torch.load("weights.safetensors"))
except Exception as error:
    by_path = f"{type(error).__name__}: {error}"

print("torch", torch.__version__)
print("guess: the weights, both times")
print("seen:  file object", as_file, "| path", by_path)
raise SystemExit(0 if by_path.startswith("SafetensorError") else "the behaviour has changed")
PY
