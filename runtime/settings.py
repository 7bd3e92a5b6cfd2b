"""Settings of the runtime that environment variables give."""

from __future__ import annotations

import os


def winograd() -> bool:
    """Whether layers may be planned with Winograd's algorithm: unless ``DCZ_WINOGRAD=0``.

    Its rounding errors, some 1e-6 of the greatest output, exceed the 2e-7 of direct sums, and numbers that are not
    finite spread to their neighbours.
    """
    return os.environ.get("DCZ_WINOGRAD", "1") != "0"
