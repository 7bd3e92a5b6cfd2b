#!/usr/bin/env bash
# Subject: torch 2.13.0, copy.deepcopy of a torch.export graph
# Likely guess: a deep copy has the nodes of the original, with their names
# Instead: the node 'input' is 'input_1' in the copy (a copied node avoids names of Python's
#   builtins, a traced one does not), while the program's signature says 'input'
# Why it matters: code that copies the graph before it rewrites it, then looks inputs up by the
#   signature's names, fails for the commonest argument name there is
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PY'
import copy

import torch


class Network(torch.nn.Module):
    def forward(self, input):
        return input.relu()


program = torch.export.export(Network(), (torch.ones(2),))
names = [node.name for node in program.graph.nodes]
copied = [node.name for node in copy.deepcopy(program.graph).nodes]

print("torch", torch.__version__)
print("guess:", names)
print("seen: ", copied, "with the signature's", program.graph_signature.user_inputs)
same = names[0] == "input" == program.graph_signature.user_inputs[0] and copied[0] == "input_1"
raise SystemExit(0 if same else "the behaviour has changed")
PY
