#!/usr/bin/env bash
# Subject: torch 2.13.0, torch.ao.quantization.quantize_dynamic
# Likely guess: the tensors of the state dict are the model's numbers
# Instead: weights and biases sit in tuples under _packed_params; the tensors are one scale and
#   one zero point a layer, 4 numbers of 11110
# Why it matters: a converter that keeps 'every value that is a tensor' writes a file of a few
#   bytes and reports success
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PY'
import warnings

import torch

warnings.simplefilter("ignore")
model = torch.nn.Sequential(torch.nn.Linear(100, 100), torch.nn.Linear(100, 10))
total = sum(parameter.numel() for parameter in model.parameters())
state = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}).state_dict()
found = sum(value.numel() for value in state.values() if torch.is_tensor(value))

print("torch", torch.__version__)
print("guess:", total, "numbers or more")
print("seen: ", found, {key: type(value).__name__ for key, value in state.items()})
raise SystemExit(0 if found == 4 and total == 11110 else "the behaviour has changed")
PY
