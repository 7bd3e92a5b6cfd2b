#!/usr/bin/env bash
# Subject: torch 2.13.0, torch.export.save
# Likely guess: a .pt2 exported with one image of a batch as its example holds the network, and at
#   most that image
# Instead: it holds the storage behind the view: all 500 images of the batch, 6 MB for a network of 2 kB
# Why it matters: files become a thousand times larger, and pictures of a data set leave the house in
#   them; export with image.clone(), or clear program.example_inputs
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PY'
import os

import torch

images = torch.rand(500, 3, 32, 32)
network = torch.nn.Conv2d(3, 16, 3).eval()
sizes = {}
for name, example in {"view": images[:1], "clone": images[:1].clone()}.items():
    torch.export.save(torch.export.export(network, (example,)), f"{name}.pt2")
    sizes[name] = os.path.getsize(f"{name}.pt2")

print("torch", torch.__version__)
print("guess: both alike, below 50,000 bytes")
print("seen: ", sizes)
same = sizes["view"] > images.numel() * 4 and sizes["clone"] < 50_000
raise SystemExit(0 if same else "the behaviour has changed")
PY
