"""`benchmarks` is not installed: find it in the checkout, after everything that is."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
