"""Progress bars of work that takes a while; a library that nobody told to speak is silent."""

from __future__ import annotations

import logging
from typing import Any

from tqdm import tqdm


def progress_bar(*items: Any, **options: Any) -> Any:
    """Make a bar on stderr, if that is a terminal and the logger ``dcz`` lets messages of level INFO through.

    The command line lets them through but for ``--quiet``.

    Parameters
    ----------
    *items, **options
        As for ``tqdm.tqdm``.
    """
    wanted = logging.getLogger("dcz").isEnabledFor(logging.INFO)
    return tqdm(*items, **options, disable=None if wanted else True)
