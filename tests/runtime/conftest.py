"""Random graphs (`graphs`) and cases of kernels (`kernel_cases`) are modules beside the tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
