#!/usr/bin/env bash
# Subject: numpy 2.4.6, on processors with AVX512_ICL and without AVX512_SPR
# Likely guess: np.sort sorts, and np.unique gives each value once
# Instead: for some float16 arrays with many equal values np.sort leaves neighbours in the wrong
#   order and np.unique gives 11 values where there are 7; kind='stable' is right
# Why it matters: codebooks and histograms of half-precision weights are made with np.unique; a
#   test on another processor passes
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
from numpy._core._multiarray_umath import __cpu_features__ as cpu

random = np.random.default_rng(136)
size, values = int(random.integers(600, 40000)), int(random.integers(2, 40))
codebook = random.normal(size=values).astype(np.float16)
weights = np.where(random.random(size) < 0.1, codebook[random.integers(0, values, size)], np.float16(0))


def falls(ordered):
    """Count neighbours in the wrong order."""
    return int((ordered[1:] < ordered[:-1]).sum())


default, stable = falls(np.sort(weights)), falls(np.sort(weights, kind="stable"))
distinct, unique = len(set(weights.tolist())), len(np.unique(weights))
affected = cpu["AVX512_ICL"] and not cpu["AVX512_SPR"]

print("numpy", np.__version__, "AVX512_ICL", cpu["AVX512_ICL"], "AVX512_SPR", cpu["AVX512_SPR"])
print(f"guess: 0 falls, {distinct} unique values")
print(f"seen:  {default} falls ({stable} with kind='stable'), {unique} unique values")
if not affected:
    print("This processor sorts float16 by other code; the finding needs AVX512_ICL without AVX512_SPR.")
    raise SystemExit(0)
same = default > 0 and stable == 0 and unique > distinct
raise SystemExit(0 if same else "the behaviour has changed")
PY
