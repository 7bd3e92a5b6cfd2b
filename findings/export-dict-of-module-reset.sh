#!/usr/bin/env bash
# Subject: torch 2.13.0, torch.export.export(strict=False)
# Likely guess: forward runs as plain Python, so what it writes in a dict of the module is there
#   afterwards
# Instead: afterwards the module has another dict, with the entries from before the export; a
#   UserDict stays, with the new ones. There is a warning only when tensors were written
# Why it matters: shapes collected while exporting vanish from the module. They are only in the
#   original dict, if one still holds it
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PY'
from collections import UserDict

import torch


class Network(torch.nn.Module):
    def __init__(self, shapes):
        super().__init__()
        self.shapes = shapes

    def forward(self, x):
        self.shapes["x"] = tuple(x.shape)
        return x.relu()


seen = {}
for kind in (dict, UserDict):
    shapes = kind()
    network = Network(shapes)
    torch.export.export(network, (torch.ones(2, 3),), strict=False)
    seen[kind.__name__] = (dict(network.shapes), network.shapes is shapes, dict(shapes))

entries = {"x": (2, 3)}
print("torch", torch.__version__)
print("guess:", {kind: (entries, True, entries) for kind in seen})
print("seen: ", seen, "(in the module, same object, in the original)")
expected = {"dict": ({}, False, entries), "UserDict": (entries, True, entries)}
raise SystemExit(0 if seen == expected else "the behaviour has changed")
PY
