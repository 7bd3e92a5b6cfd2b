"""Plain floats by ZipNN: exponents Huffman-coded, in its own container.

The element type is the name of the weights' file: ``float32.npz``, ``bfloat16.npz`` (bits as uint16), ``float16.npz``.
All arrays are compressed as one, which is decompressed and compared.
"""

import sys
from pathlib import Path

import numpy as np
from zipnn import ZipNN


def main(model, weights):
    with np.load(weights) as arrays:
        content = b"".join(arrays[name].tobytes() for name in arrays.files)
    coder = ZipNN(input_format="byte", bytearray_dtype=Path(weights).stem, threads=1)
    packed = bytes(coder.compress(bytearray(content)))
    if bytes(coder.decompress(packed)) != content:
        raise ValueError("ZipNN decodes something else")
    print(len(packed))


if __name__ == "__main__":
    main(*sys.argv[1:])
