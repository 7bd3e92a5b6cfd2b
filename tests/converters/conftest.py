"""The networks that tests capture (`networks`) are a module beside them."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
