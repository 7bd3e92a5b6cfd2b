#!/usr/bin/env bash
# Subject: safetensors 0.8.0, safetensors.numpy
# Likely guess: the dictionary comes back in the order in which it was saved
# Instead: the file sorts by element type (widest first) and then by name; load_file follows the
#   file, safe_open().keys() sorts by name, and load(bytes) gives an order that changes from
#   process to process
# Why it matters: code that pairs weights with layers by position reads three orders from one
#   file, and one of them is random
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet safetensors==0.8.0 numpy==2.4.6
venv/bin/python - <<'PY'
import subprocess
import sys

import numpy as np
import safetensors
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

tensors = {name: np.ones(1, np.float32) for name in ("conv2", "conv1", "stem", "norm", "fc", "head")}
tensors["half"] = np.ones(1, np.float16)
tensors["double"] = np.ones(1, np.float64)
save_file(tensors, "weights.safetensors")
in_file = list(load_file("weights.safetensors"))
with safe_open("weights.safetensors", "numpy") as file:
    by_name = list(file.keys())
program = "import safetensors.numpy as s; print(*s.load(open('weights.safetensors', 'rb').read()))"
from_bytes = {subprocess.check_output([sys.executable, "-c", program], text=True) for _ in range(8)}

print("safetensors", safetensors.__version__)
print("guess:", list(tensors))
print("seen:  load_file", in_file)
print("       safe_open", by_name)
print("       load(bytes)", len(from_bytes), "orders in 8 processes")
same = in_file[0] == "double" and in_file[-1] == "half" and by_name == sorted(tensors) and len(from_bytes) > 1
raise SystemExit(0 if same else "the behaviour has changed")
PY
