#!/usr/bin/env bash
# Subject: torch 2.13.0, load_state_dict(strict=True)
# Likely guess: a state dict without num_batches_tracked is refused, or accepted, whatever kind
#   of dictionary holds it
# Instead: torch's own OrderedDict is refused (missing key); dict(state), the same keys and
#   values, loads as complete. The version of each module rides in an attribute, _metadata, that
#   a copy loses, and without it torch assumes a file from before the count existed
# Why it matters: files that hold tensors alone (safetensors, npz) never have the attribute, so
#   'strict' is less strict for them and old rules apply
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch

state = torch.nn.BatchNorm2d(3).state_dict()
del state["num_batches_tracked"]


def load(state):
    """Load into a fresh layer and describe the outcome."""
    try:
        return str(torch.nn.BatchNorm2d(3).load_state_dict(state, strict=True))
    except RuntimeError as error:
        return "refused: " + str(error).split(chr(9))[-1].strip()


own, plain = load(state), load(dict(state))
print("torch", torch.__version__)
print("guess: the same outcome")
print("seen:  OrderedDict", own, "| dict", plain)
same = own.startswith("refused: Missing key") and "matched" in plain
raise SystemExit(0 if same else "the behaviour has changed")
PY
