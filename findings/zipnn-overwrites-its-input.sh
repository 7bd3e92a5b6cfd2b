#!/usr/bin/env bash
# Subject: ZipNN 0.5.4, compress() of weights
# Likely guess: a lossless compressor reads its input and leaves it as it was; Python's `bytes` cannot change anyway
# Instead: the input is reordered in place, `bytes` too; what comes back from decompress() is right
# Why it matters: who compresses a tensor's bytes and goes on to use them, to compare or to hash them,
#   has other numbers; a copy has to be handed in
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 torch==2.13.0 zipnn==0.5.4
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
from zipnn import ZipNN

weights = np.random.default_rng(0).normal(0, 0.05, 50_000).astype(np.float32)
before = weights.tobytes()
given = weights.tobytes()
packed = ZipNN(bytearray_dtype="float32").compress(given)
back = bytes(ZipNN(bytearray_dtype="float32").decompress(packed))

changed = np.mean(np.frombuffer(given, np.uint8) != np.frombuffer(before, np.uint8))
print("zipnn", version("zipnn"))
print("guess: the input, an object of type bytes, is unchanged")
print(f"seen:  {changed:.0%} of its bytes changed; decompressed: {'equal' if back == before else 'other'} weights")
raise SystemExit(0 if changed > 0.2 and back == before else "the behaviour has changed")
PY
