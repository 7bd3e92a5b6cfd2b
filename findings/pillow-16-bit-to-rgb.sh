#!/usr/bin/env bash
# Subject: Pillow 13.0.0
# Likely guess: a 16-bit grey image scales to 8 bits: 65535 becomes 255, 32768 becomes 128
# Instead: convert('RGB') clips: everything above 255 is white
# Why it matters: the usual .convert('RGB') before a network turns medical and depth images
#   white, and no error says so
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet pillow==13.0.0 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
import PIL
from PIL import Image

image = Image.fromarray(np.array([[0, 200, 300, 32768, 65535]], np.uint16))
seen = np.asarray(image.convert("RGB"))[0, :, 0].tolist()

print("Pillow", PIL.__version__, "mode", image.mode)
print("guess: [0, 0, 1, 128, 255]")
print("seen: ", seen)
raise SystemExit(0 if seen == [0, 200, 255, 255, 255] else "the behaviour has changed")
PY
