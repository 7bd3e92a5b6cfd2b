#!/usr/bin/env bash
# Subject: torch 2.13.0, ExportedProgram.run_decompositions
# Likely guess: an empty table decomposes nothing, and the default table lists what can be
#   decomposed
# Instead: with {} movedim becomes permute and flatten becomes view, while einsum and matmul stay.
#   A composite operator whose schema lets the result alias the input, as Tensor(a), is always
#   rewritten, and the default table does not list it
# Why it matters: a converter cannot keep such an operator by leaving it out of the table, and one
#   that handles it after run_decompositions never meets it
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch

functions = {
    "movedim.int": lambda x: x.movedim(0, 1),
    "flatten.using_ints": lambda x: x.flatten(),
    "einsum.default": lambda x: torch.einsum("ij,kj->ik", x, x),
    "matmul.default": lambda x: x.matmul(x),
}
table = {str(operator) for operator in torch.export.default_decompositions()}


class Network(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def operators(program):
    """Names of the operators of an exported program."""
    calls = (node for node in program.graph.nodes if node.op == "call_function")
    return [str(call.target).removeprefix("aten.") for call in calls]


seen = {}
for name, function in functions.items():
    program = torch.export.export(Network(function), (torch.ones(4, 4),))
    if operators(program) != [name]:
        raise SystemExit("the behaviour has changed")
    seen[name] = (*operators(program.run_decompositions({})), f"aten.{name}" in table)

print("torch", torch.__version__)
print("guess:", {name: (name, True) for name in functions})
print("seen: ", seen, "(after an empty table, in the default table)")
expected = {
    "movedim.int": ("permute.default", False),
    "flatten.using_ints": ("view.default", False),
    "einsum.default": ("einsum.default", True),
    "matmul.default": ("matmul.default", True),
}
raise SystemExit(0 if seen == expected else "the behaviour has changed")
PY
