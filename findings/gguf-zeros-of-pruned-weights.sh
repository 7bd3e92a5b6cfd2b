#!/usr/bin/env bash
# Subject: gguf 0.19.0, pruned weights in the quantizations of GGUF
# Likely guess: zeros stay zeros, and the kinds with a minimum (Q4_1, Q5_1), which take more bits, are more exact
# Instead: Q4_0, Q5_0 and Q8_0 keep every zero, Q4_1 and Q5_1 lose nearly all, and their errors are twice as
#   large: a block's minimum is a float, and zero is no multiple of the step away from it
# Why it matters: a network that was pruned is dense, and worse, after the larger quantization
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 gguf==0.19.0
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize

weights = np.random.default_rng(0).normal(0, 0.05, (64, 256)).astype(np.float32)
weights[abs(weights) < 0.06] = 0
print("gguf", version("gguf"))
print(f"guess: {np.mean(weights == 0):.1%} zeros in all")
kept = {}
for name in ("Q8_0", "Q4_0", "Q5_0", "Q4_1", "Q5_1"):
    kind = GGMLQuantizationType[name]
    back = dequantize(quantize(weights, kind), kind)
    kept[name] = np.mean(back[weights == 0] == 0)
    error = np.sqrt(np.mean((back - weights) ** 2) / np.mean(weights**2))
    print(f"seen:  {name}: {np.mean(back == 0):.1%} zeros, rms error {error:.1%}")
held = [name for name, share in kept.items() if share == 1]
lost = [name for name, share in kept.items() if share < 0.1]
raise SystemExit(0 if held == ["Q8_0", "Q4_0", "Q5_0"] and lost == ["Q4_1", "Q5_1"] else "the behaviour has changed")
PY
