#!/usr/bin/env bash
# Subject: torch 2.13.0, tags of operators
# Likely guess: operators that work element by element carry torch.Tag.pointwise, and attention
#   without dropout carries no tag of randomness
# Instead: where.self and bitwise_and.Tensor carry the tag, where.Scalar, where.ScalarSelf,
#   where.ScalarOther, __and__.Tensor and __or__.Tensor do not, and exported programs hold them;
#   scaled_dot_product_attention is tagged nondeterministic_seeded, whatever dropout_p is
# Why it matters: a converter that decides by tags what may be fused, moved or folded misses
#   masks, and takes each transformer for random
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch

aten, pointwise = torch.ops.aten, torch.Tag.pointwise
tagged = [aten.where.self, aten.bitwise_and.Tensor]
bare = [aten.where.Scalar, aten.where.ScalarSelf, aten.where.ScalarOther, aten.__and__.Tensor, aten.__or__.Tensor]


class Mask(torch.nn.Module):
    def forward(self, x):
        return torch.where((x > 0) & (x < 1), x, 0.0)


program = torch.export.export(Mask(), (torch.randn(3),))
exported = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
random = torch.Tag.nondeterministic_seeded in aten.scaled_dot_product_attention.default.tags
print("torch", torch.__version__)
print("guess: all are tagged pointwise, attention is not tagged as random")
print("seen: ", {str(op): pointwise in op.tags for op in tagged + bare}, "| exported:", sorted(exported))
print("       attention tagged as random:", random)
same = all(pointwise in op.tags for op in tagged) and not any(pointwise in op.tags for op in bare)
same = same and random and "aten.__and__.Tensor" in exported
raise SystemExit(0 if same else "the behaviour has changed")
PY
