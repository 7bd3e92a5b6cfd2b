"""Install engines and coders to compare with: ``python -m benchmarks.peers NAME...``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import TOOLS, MissingToolError, install

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    own = [name for name, tool in TOOLS.items() if tool.packages or tool.npm]
    parser.add_argument("names", metavar="NAME", nargs="+", choices=own, help=f"of {', '.join(own)}")
    parser.add_argument("--folder", type=Path, default=Path("runs/peers"))
    arguments = parser.parse_args()
    failed = False
    for name in arguments.names:
        try:
            install(name, arguments.folder)
            print(name, "installed in", arguments.folder)
        except MissingToolError as error:
            print(f"benchmarks.peers: {error}", file=sys.stderr)
            failed = True
    raise SystemExit(failed)
