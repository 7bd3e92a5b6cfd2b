#!/usr/bin/env bash
# Subject: torch 2.13.0, torch.save, on Linux (a file-size limit stands for the full disk)
# Likely guess: a write that fails raises OSError with its errno
# Instead: RuntimeError 'unexpected pos', without errno; saving by path the system's reason is
#   lost altogether, saving to an open file the OSError is only the error's __context__
# Why it matters: a saver that frees space and tries again on ENOSPC, or tells the user that the
#   disk is full, never gets there
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PY'
import resource

import torch


def failure(target):
    """Save 4 MB to target and describe the error."""
    try:
        torch.save({"weight": torch.zeros(1 << 20)}, target)
    except Exception as error:
        return type(error).__name__, getattr(error, "errno", None), type(error.__context__).__name__
    return ("saved", None, None)


resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
by_path = failure("weights.pt")
with open("weights2.pt", "wb", buffering=0) as file:
    as_file = failure(file)

print("torch", torch.__version__)
print("guess: OSError with errno")
print("seen:  (error, errno, context) by path", by_path, "as a file", as_file)
same = by_path[:2] == as_file[:2] == ("RuntimeError", None) and as_file[2] == "OSError" != by_path[2]
raise SystemExit(0 if same else "the behaviour has changed")
PY
