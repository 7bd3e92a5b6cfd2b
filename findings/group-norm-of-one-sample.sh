#!/usr/bin/env bash
# Subject: torch 2.13.0, torch.nn.GroupNorm and F.group_norm
# Likely guess: group norm has no running statistics, so one sample is normalised alone as it is
#   within a batch, in evaluation as in training
# Instead: with one value in a group a batch of two passes and a batch of one is refused, in
#   evaluation too: 'Expected more than 1 value per channel when training'. torch.group_norm, on
#   which both rest, and layer norm accept it
# Why it matters: a network tested on a batch fails on the single sample of an application, and
#   the message names a mode that it is not in
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch
import torch.nn.functional as F


def outcome(function, x):
    """The shape that function gives, or its error."""
    try:
        return tuple(function(x).shape)
    except ValueError as error:
        return str(error)


layer = torch.nn.GroupNorm(4, 4).eval()
one, two = torch.ones(1, 4, 1, 1), torch.ones(2, 4, 1, 1)
refused = [outcome(layer, one), outcome(lambda x: F.group_norm(x, 4), one)]
accepted = [
    outcome(layer, two),
    outcome(lambda x: torch.group_norm(x, 4), one),
    outcome(lambda x: F.layer_norm(x, (1,)), one),
]

print("torch", torch.__version__)
print("guess: shapes only")
print("seen: ", refused, "| batch of two, torch.group_norm, layer_norm", accepted)
same = all("when training" in str(text) for text in refused)
same = same and accepted == [(2, 4, 1, 1), (1, 4, 1, 1), (1, 4, 1, 1)]
raise SystemExit(0 if same else "the behaviour has changed")
PY
