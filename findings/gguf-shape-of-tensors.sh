#!/usr/bin/env bash
# Subject: gguf 0.19.0, shapes of tensors that were written and read by its own classes
# Likely guess: a tensor's `shape` is that of the array that was written, and that of its `data`
# Instead: `shape` is reversed and `data.shape` is not; a bfloat16 tensor's data has twice the columns
# Why it matters: code that goes by `shape` transposes each weight, which square layers hide
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
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from gguf.quants import quantize

weights = np.arange(6, dtype=np.float32).reshape(2, 3)
writer = GGUFWriter("w.gguf", "test")
writer.add_tensor("plain", weights)
writer.add_tensor("half", quantize(weights, GGMLQuantizationType.BF16), raw_dtype=GGMLQuantizationType.BF16)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

print("gguf", version("gguf"))
print("guess: shape (2, 3), data of shape (2, 3)")
seen = {}
for tensor in GGUFReader("w.gguf").tensors:
    seen[tensor.name] = (tuple(map(int, tensor.shape)), tensor.data.shape)
    print(f"seen:  {tensor.name}: shape {seen[tensor.name][0]}, data of shape {seen[tensor.name][1]}")
expected = {"plain": ((3, 2), (2, 3)), "half": ((3, 2), (2, 6))}
raise SystemExit(0 if seen == expected else "the behaviour has changed")
PY
