#!/usr/bin/env bash
# Subject: blosc2 4.14.1
# Likely guess: the byte shuffle helps floats, so the default of blosc2 is the right one for
#   weights
# Instead: with 32 shared values in float32 the shuffled (default) file is more than twice as
#   large as the unshuffled one: the shuffle takes the repeated words apart
# Why it matters: array stores (Blosc, HDF5, Zarr) shuffle by default; for pruned or clustered
#   weights it must be turned off
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet blosc2==4.14.1 numpy==2.4.6
venv/bin/python - <<'PY'
import blosc2
import numpy as np

random = np.random.default_rng(0)
weights = random.normal(size=32).astype(np.float32)[random.integers(0, 32, 1 << 18)]
pack = lambda filter: len(blosc2.compress2(weights, typesize=4, codec=blosc2.Codec.ZSTD, filters=[filter]))
plain, shuffled = pack(blosc2.Filter.NOFILTER), pack(blosc2.Filter.SHUFFLE)
default = len(blosc2.compress2(weights, typesize=4))

print("blosc2", blosc2.__version__)
print("guess: shuffled is smaller than plain")
print(f"seen:  plain {plain}, shuffled {shuffled}, default {default} bytes of {weights.nbytes}")
raise SystemExit(0 if shuffled > 2 * plain and default > 2 * plain else "the behaviour has changed")
PY
