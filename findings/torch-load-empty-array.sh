#!/usr/bin/env bash
# Subject: torch 2.13.0, torch.load(weights_only=True), with numpy 2.4.6
# Likely guess: an allow-list under which a checkpoint's numpy arrays load also covers an empty
#   array
# Instead: an empty array needs builtins.bytes besides: pickle protocol 2 writes b'' as a call
#   of bytes(), so the file is refused
# Why it matters: a training loop that saves a history array yields files that load, except
#   those saved before the first entry
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
import torch

allowed = [np._core.multiarray._reconstruct, np.ndarray, np.dtype, np.dtypes.Float32DType]
seen = {}
for size in (3, 0):
    torch.save({"weight": torch.ones(2), "history": np.zeros(size, np.float32)}, "checkpoint.pt")
    needs = "builtins.bytes" in torch.serialization.get_unsafe_globals_in_checkpoint("checkpoint.pt")
    try:
        with torch.serialization.safe_globals(allowed):
            torch.load("checkpoint.pt")
        seen[size] = ("loads", needs)
    except Exception as error:
        seen[size] = (type(error).__name__, needs)

print("torch", torch.__version__, "numpy", np.__version__)
print("guess: both load")
print("seen:  size -> (outcome, asks for builtins.bytes):", seen)
same = seen == {3: ("loads", False), 0: ("UnpicklingError", True)}
raise SystemExit(0 if same else "the behaviour has changed")
PY
