#!/usr/bin/env bash
# Subject: safetensors 0.8.0, safetensors.torch.save_model, with torch 2.13.0
# Likely guess: of tied tensors the name that the model registered first is kept
# Instead: the name that comes first in the alphabet is kept; the other one stands in the
#   metadata only
# Why it matters: a converter that asks the file for the embedding's name (model.embed.weight)
#   finds lm_head.weight, and which one it finds depends on how the layers are called
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 safetensors==0.8.0
venv/bin/python - <<'PY'
import safetensors
import torch
from safetensors import safe_open
from safetensors.torch import save_model

model = torch.nn.ModuleDict({name: torch.nn.Linear(3, 3, bias=False) for name in ("model", "lm_head")})
model["lm_head"].weight = model["model"].weight
save_model(model, "model.safetensors")
with safe_open("model.safetensors", "pt") as file:
    names, metadata = list(file.keys()), file.metadata()

print("safetensors", safetensors.__version__, "torch", torch.__version__)
print("guess:", list(model.state_dict())[:1])
print("seen: ", names, metadata)
raise SystemExit(0 if names == ["lm_head.weight"] else "the behaviour has changed")
PY
