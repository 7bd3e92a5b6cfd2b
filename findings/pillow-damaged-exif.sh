#!/usr/bin/env bash
# Subject: Pillow 13.0.0, ImageOps.exif_transpose
# Likely guess: EXIF that is no TIFF structure is passed over, or refused, in every format
#   alike; an image error is an OSError
# Instead: the JPEG passes, the same EXIF in PNG and WebP raises SyntaxError, which no 'except
#   OSError' catches
# Why it matters: a data loader that turns images upright and skips the broken ones dies on the
#   first such PNG
# Seen: 2026-11
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet pillow==13.0.0
venv/bin/python - <<'PY'
import io

import PIL
from PIL import Image, ImageOps

seen = {}
for kind in ("JPEG", "PNG", "WEBP"):
    file = io.BytesIO()
    Image.new("RGB", (3, 2)).save(file, kind, exif=b"Exif\0\0no TIFF header")
    try:
        ImageOps.exif_transpose(Image.open(file))
        seen[kind] = "passes"
    except Exception as error:
        seen[kind] = type(error).__name__

print("Pillow", PIL.__version__)
print("guess: the same for the three")
print("seen: ", seen)
same = seen == {"JPEG": "passes", "PNG": "SyntaxError", "WEBP": "SyntaxError"}
raise SystemExit(0 if same else "the behaviour has changed")
PY
