"""Files between a released dcz and this one: ``python tests/compatibility/with_released.py``, from a checkout.

The released code is taken out of the repository into a folder of its own and run in a process of its own.

- It reads each valid vector of the versions that it knows, with the content that ``expected.json`` tells.
- It refuses each later one with an error that names what it does not know, and that a newer dcz may; inputs and
  outputs by name with one that says what it cannot read.
- This code reads what it writes, bit for bit; so does it what this code writes in encodings of its time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import dcz.dcformat as fmt
from dcz.dcformat.encoding.table import Encoding

RELEASED = {"0.2.0": "b8385e5"}
"""Commits of releases."""
OTHER_FORMS = ("manifest: bad input shape", "manifest: bad output")
"""What the released reader says of inputs and outputs by name: they stand where it has a shape and a number."""
ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"

IN_RELEASED = """
import hashlib, json, sys
from pathlib import Path
import numpy as np
import dcz, dcz.dcformat as fmt
folder, found = Path(sys.argv[1]), {}
for path in sorted(folder.glob("*.dcz")):
    try:
        with fmt.open(path) as container:
            problems = container.verify()
            tensors = {n: hashlib.sha256(container.tensor(n).tobytes()).hexdigest() for n in container.entries}
        found[path.name] = {"tensors": tensors, "problems": problems}
    except Exception as error:
        found[path.name] = {"error": type(error).__name__, "message": str(error)}
with np.load(folder / "arrays.npz") as arrays:
    fmt.write(folder / "written-by-released.dcz", None, {n: arrays[n] for n in arrays.files})
print(json.dumps({"version": dcz.__version__, "files": found}))
"""


def arrays() -> dict[str, np.ndarray]:
    """Tensors that the released encodings take in each of their ways."""
    rng = np.random.default_rng(5)
    few = rng.choice(np.float32([0.5, -1.5, 0.1, 3]), (40, 50))
    return {
        "shared": few,
        "sparse shared": np.where(rng.random((40, 50)) < 0.2, few, np.float32(0)),
        "sparse": np.where(rng.random((40, 50)) < 0.2, rng.normal(size=(40, 50)), 0).astype(np.float32),
        "plain": rng.normal(size=(30, 20)).astype(np.float32),
        "half": few.astype(np.float16),
        "counter": np.array(7),
        "empty": np.zeros((0, 3), np.float32),
    }


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def run_released(commit: str, folder: Path) -> dict[str, Any]:
    """What the released code makes of the files in a folder, into which it also writes one."""
    code = folder / "code"
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    code.mkdir()
    subprocess.run(["tar", "-x"], cwd=code, input=archive, check=True)
    environment = os.environ | {"PYTHONPATH": str(code), "NUMBA_CACHE_DIR": str(folder / "cache")}
    command = [sys.executable, "-c", IN_RELEASED, str(folder)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the released code failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def problems_of(name: str, outcome: dict[str, Any], version: tuple[int, int], expected: dict[str, str]) -> list[str]:
    """What is wrong with the outcome of a file of some version, by the released reader of 1.0."""
    if "error" in outcome:
        said = outcome["message"]
        named = outcome["error"] == "UnsupportedVersionError" and "unknown" in said and "newer" in said
        if version == (1, 0) or not (named or any(other in said for other in OTHER_FORMS)):
            return [f"{name} of version {version}: {outcome['error']}: {outcome['message']}"]
        return []
    if outcome["problems"] or outcome["tensors"] != expected:
        return [f"{name} of version {version} is read, and differs: {outcome['problems']}"]
    return []


def check(commit: str) -> list[str]:
    """Compare in both directions; the problems."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        valid = json.loads((VECTORS / "expected.json").read_text())["valid"]
        for name in valid:
            (folder / name).write_bytes((VECTORS / name).read_bytes())
        ours = arrays()
        np.savez(folder / "arrays.npz", **ours)  # type: ignore[arg-type]
        old = [encoding for encoding in Encoding if not encoding.minor_version]
        fmt.write(folder / "ours-old.dcz", None, {name: fmt.encode(name, array, old) for name, array in ours.items()})
        fmt.write(folder / "ours-new.dcz", None, ours)
        released = run_released(commit, folder)
        problems, refused = [], 0
        for name, outcome in released["files"].items():
            with fmt.open(folder / name) as container:
                version = container.format_version
                expected = {key: digest(container.tensor(key)) for key in container.entries}
            major, minor = map(int, version.split("."))
            problems += problems_of(name, outcome, (major, minor), expected)
            refused += "error" in outcome
        with fmt.open(folder / "written-by-released.dcz") as container:
            problems += container.verify()
            problems += [f"{n} differs" for n, array in ours.items() if digest(container.tensor(n)) != digest(array)]
        if not refused or "error" not in released["files"]["ours-new.dcz"]:
            problems.append("a file of 1.1 was not refused")
        print(f"dcz {released['version']}: {len(released['files'])} files, {refused} of them refused by name")
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commit", default=RELEASED["0.2.0"])
    arguments = parser.parse_args()
    known = subprocess.run(["git", "cat-file", "-e", arguments.commit], cwd=ROOT, capture_output=True, check=False)
    if known.returncode:
        sys.exit(f"this is no checkout with the commit {arguments.commit}")
    if problems := check(arguments.commit):
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
