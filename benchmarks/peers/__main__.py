"""Install engines to compare with: ``python -m benchmarks.peers NAME...``."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import PEERS, install

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    own = sorted(name for name, peer in PEERS.items() if peer.packages and not peer.environment)
    parser.add_argument("names", metavar="NAME", nargs="+", choices=own, help=f"of {', '.join(own)}")
    parser.add_argument("--folder", type=Path, default=Path("runs/peers"))
    arguments = parser.parse_args()
    for name in arguments.names:
        install(name, arguments.folder)
        print(name, "installed in", arguments.folder)
