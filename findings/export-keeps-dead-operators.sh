#!/usr/bin/env bash
# Subject: torch 2.13.0, torch.export
# Likely guess: an operator whose result nobody uses is not in the exported graph
# Instead: it stays; it goes with run_decompositions(), which one calls for another reason
# Why it matters: a converter that counts operators, or refuses unknown ones, stumbles over code
#   without effect
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch


class Network(torch.nn.Module):
    def forward(self, x):
        x.sigmoid()
        return x.relu()


program = torch.export.export(Network(), (torch.ones(2),))
nodes = [node.name for node in program.graph.nodes]
decomposed = [node.name for node in program.run_decompositions().graph.nodes]

print("torch", torch.__version__)
print("guess: ['x', 'relu', 'output']")
print("seen: ", nodes, "| after run_decompositions", decomposed)
same = "sigmoid" in nodes and "sigmoid" not in decomposed
raise SystemExit(0 if same else "the behaviour has changed")
PY
