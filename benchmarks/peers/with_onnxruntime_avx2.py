"""ONNX Runtime on a processor that has AVX-512, limited to AVX2.

It has no setting for that: it asks the processor what it has, and by ``xgetbv`` what registers the system saves. Here a
copy of the library believes that the system saves those of AVX (bits 0 to 2) and no others.
"""

import importlib.util
import os
import re
import shutil
import sys

import with_onnxruntime
from worker import serve

ASKS = re.compile(rb"(?<=\x31\xc9)\x0f\x01\xd0|\x0f\x01\xd0(?=\x89\xc0\x48\xc1\xe2\x20)")
"""``xgetbv`` after ``xor ecx, ecx``, or before the halves of its answer are joined; other such bytes may be data."""
ANSWER = b"\x6a\x07\x58"
"""``push 7; pop rax``: as long, and the same register."""


def folder_of(path):
    return os.path.join(os.path.dirname(path), "avx2")


def prepare(path, batch):
    (package,) = importlib.util.find_spec("onnxruntime").submodule_search_locations
    limited = os.path.join(folder_of(path), "onnxruntime")
    shutil.copytree(package, limited)
    libraries = os.path.join(limited, "capi")
    counts = {name: limit(os.path.join(libraries, name)) for name in os.listdir(libraries) if ".so" in name}
    if not any(counts.values()):
        raise RuntimeError(f"error: no xgetbv was found in {', '.join(counts)}")


def limit(library):
    """Change the library file; the number of places."""
    with open(library, "rb") as file:
        code, count = ASKS.subn(ANSWER, file.read())
    if count:
        with open(library, "wb") as file:
            file.write(code)
    return count


def load(path, threads, batch):
    import onnxruntime

    if not onnxruntime.__file__.startswith(folder_of(path)):
        raise RuntimeError("error: this is not the limited copy of onnxruntime")
    return with_onnxruntime.load(path, threads, batch)


if __name__ == "__main__":
    sys.path.insert(0, folder_of(sys.argv[1]))
    serve(load, "onnxruntime", prepare)
