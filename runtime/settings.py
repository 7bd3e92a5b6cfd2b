"""Settings of the runtime from environment variables."""

from __future__ import annotations

import os


def winograd() -> bool:
    """Whether plans may use Winograd's algorithm: yes unless ``DCZ_WINOGRAD=0``.

    Its rounding errors are some 1e-6 of the greatest output, against 2e-7 of direct sums, and a NaN or an infinity
    spreads to the whole tile.
    """
    return os.environ.get("DCZ_WINOGRAD", "1") != "0"
