"""Is a container as small as the same weights under the best textbook coding? ``python -m benchmarks.sizes [NAME...]``.

For each network of `benchmarks.weights`: bytes of the ``.dcz`` file, whole, beside what the paper's coding, the best
fixed gap width a layer, a zero-order coder and xz need for the same tensors; and how much of the file is overhead
(manifest, labels, code tables). Exits with 1 if a file is larger than the best fixed gap width allows.
"""

from __future__ import annotations

import argparse
import json
import lzma
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcz.cli.machine import facts

from .reference import Streams, best_gap_coded_bytes, gap_coded_bytes, zero_order_bytes
from .weights import NETWORKS, SEED, Network, state_dict

RESULTS = Path(__file__).parent / "results" / "sizes.json"
XZ_LIMIT = 20 << 20
"""Dense bytes up to which xz is tried: it takes minutes on more."""
COLUMNS = ("fp32", "dcz", "overhead", "limit", "best_gap", "paper", "zero_order", "xz")


def measure(network: Network, seed: int, folder: Path) -> dict[str, Any]:
    """Write one network and count: bytes by coding, the limit, and seconds to write and to verify."""
    tensors = state_dict(network, seed)
    path = folder / f"{network.arch}.dcz"
    start = time.perf_counter()
    _write(network, tensors, path)
    written = time.perf_counter()
    problems, parts = _check(path, tensors)
    return {
        "network": network.title,
        **references(network, tensors),
        "dcz": path.stat().st_size,
        "overhead": parts["manifest"] + parts["labels"] + parts["tables"],
        "seconds_write": round(written - start, 2),
        "seconds_verify": round(time.perf_counter() - written, 2),
        "problems": problems,
    }


def references(network: Network, tensors: Mapping[str, NDArray[Any]]) -> dict[str, int | None]:
    """Bytes that other codings need. All store what is no weight (biases, normalisation) as it is."""
    weights = {name: tensor for name, tensor in tensors.items() if tensor.ndim >= 2}
    streams = [Streams.of(tensor) for tensor in weights.values()]
    exact = sum(tensor.nbytes for name, tensor in tensors.items() if name not in weights)
    dense = sum(tensor.nbytes for tensor in tensors.values())
    best = exact + sum(best_gap_coded_bytes(stream)[0] for stream in streams)
    return {
        "fp32": dense,
        "best_gap": best,
        "limit": int(best * 1.01) + 40 * len(tensors) + 600,
        "paper": exact + sum(gap_coded_bytes(stream, network.paper_gap_bits) for stream in streams),
        "zero_order": exact + round(sum(zero_order_bytes(stream) for stream in streams)),
        "xz": _xz(tensors) if dense <= XZ_LIMIT else None,
    }


def _xz(tensors: Mapping[str, NDArray[Any]]) -> int:
    return len(lzma.compress(b"".join(tensor.tobytes() for tensor in tensors.values()), preset=9))


def _write(network: Network, tensors: Mapping[str, NDArray[Any]], path: Path) -> None:
    import torch

    import dcz
    from dcz.converters.architectures import ARCHITECTURES

    architecture = ARCHITECTURES[network.arch]
    with torch.device("meta"):
        module = architecture.factory()
    module.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, assign=True)
    dcz.convert(module.eval(), path, input_shape=architecture.input_shape)


def _check(path: Path, tensors: Mapping[str, NDArray[Any]]) -> tuple[list[str], dict[str, int]]:
    """What is wrong with a container, and its bytes by part."""
    import dcz

    with dcz.open(path) as container:
        different = [name for name, tensor in tensors.items() if not np.array_equal(container.tensor(name), tensor)]
        problems = container.verify() + [f"{name} is not what was written" for name in different]
        return problems, container.info()["bytes"]


def main() -> int:
    """Measure, print a table, write the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("networks", metavar="NAME", nargs="*", help=f"of {', '.join(NETWORKS)}; default all")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS, help="JSON file")
    args = parser.parse_args()
    unknown = set(args.networks) - set(NETWORKS)
    if unknown:
        parser.error(f"unknown network {sorted(unknown)[0]}; known: {', '.join(NETWORKS)}")
    rows = []
    print(f"{'bytes':<14}" + "".join(f"{column:>13}" for column in COLUMNS) + "  dcz/best  fp32/dcz")
    with tempfile.TemporaryDirectory() as folder:
        for name in args.networks or NETWORKS:
            row = measure(NETWORKS[name], args.seed, Path(folder))
            rows.append(row)
            cells = "".join(f"{'-' if row[column] is None else format(row[column], ','):>13}" for column in COLUMNS)
            ratios = f"{row['dcz'] / row['best_gap']:>10.4f}{row['fp32'] / row['dcz']:>10.2f}"
            print(f"{row['network']:<14}{cells}{ratios}", *row["problems"], flush=True)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps({"machine": facts(), "seed": args.seed, "sizes": rows}, indent=2) + "\n")
    return int(any(row["problems"] or row["dcz"] > row["limit"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
