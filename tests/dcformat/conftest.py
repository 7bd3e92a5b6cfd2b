"""Puts this folder's helper modules on the path, after everything that is installed."""

import sys
from pathlib import Path

from hypothesis import settings

sys.path.append(str(Path(__file__).parent))

# The first call of a kernel may compile it, and machines are shared: no example has a deadline.
settings.register_profile("dcformat", deadline=None)
settings.load_profile("dcformat")
