#!/usr/bin/env bash
# Subject: torch 2.13.0, torch.save
# Likely guess: the same tensors saved under two names give the same bytes
# Instead: the file's name is in the bytes: it is the folder inside the archive. In another
#   folder, under the same name, the bytes are equal
# Why it matters: a hash of the file is no hash of the model: epoch3.pt and best.pt never match
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PY'
import hashlib
import os

import torch

os.mkdir("other")
hashes = {}
for path in ("epoch3.pt", "best.pt", "other/best.pt"):
    torch.save({"weight": torch.arange(4.0)}, path)
    with open(path, "rb") as file:
        hashes[path] = hashlib.sha256(file.read()).hexdigest()[:12]

print("torch", torch.__version__)
print("guess: one hash")
print("seen: ", hashes)
same = hashes["epoch3.pt"] != hashes["best.pt"] == hashes["other/best.pt"]
raise SystemExit(0 if same else "the behaviour has changed")
PY
