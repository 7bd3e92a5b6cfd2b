#!/usr/bin/env bash
# Subject: torch 2.13.0, F.interpolate(mode="nearest") on the CPU
# Likely guess: enlarging by a whole factor repeats each value that many times
# Instead: the place in the source is 41 * float32(2 / 82), just below 1, so output 41 repeats
#   value 0 once more; 41 is the first such factor, then 47, 55, 61. float64 and "nearest-exact"
#   are right
# Why it matters: a runtime that repeats values, or computes the place in integers or in float64,
#   is right and has the neighbouring value where torch is wrong
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


def wrong(factor, dtype=torch.float32, mode="nearest"):
    """Places where enlarging [0, 1] by factor differs from repeating each value."""
    values = torch.arange(2, dtype=dtype)
    enlarged = F.interpolate(values.view(1, 1, 2), size=2 * factor, mode=mode)[0, 0]
    return (enlarged != values.repeat_interleave(factor)).nonzero().flatten().tolist()


factors = [factor for factor in range(1, 64) if wrong(factor)]
others = wrong(41, dtype=torch.float64) + wrong(41, mode="nearest-exact")

print("torch", torch.__version__)
print("guess: no factor with a wrong value")
print("seen:  factors", factors, "| by 41 at", wrong(41), "| float64 and nearest-exact", others)
same = factors == [41, 47, 55, 61] and wrong(41) == [41] and not others
raise SystemExit(0 if same else "the behaviour has changed")
PY
