"""Neural Network Coding (ISO/IEC 15938-17) without loss, by nncodec: DeepCABAC over the centroids' numbers.

It counts the arithmetic code of each tensor, which is decoded and compared, and its centroids in fp32. It leaves out
the standard's headers, in favour of NNC. It loads only nncodec's coder: the rest needs torch, torchvision and OpenCV.
"""

import importlib.machinery
import importlib.util
import sys

import numpy as np

CONTEXTS = 11
"""Unary bins with a context of their own: nncodec's default."""


def load_coder(package=None):
    """The extension module that codes, from the folder of nncodec; without one, that of this environment."""
    if package is None:
        (package,) = importlib.util.find_spec("nncodec").submodule_search_locations
    finder = importlib.machinery.PathFinder.find_spec("deepCABAC", [f"{package}/extensions"])
    module = importlib.util.module_from_spec(finder)
    finder.loader.exec_module(module)
    return module


def numbered(weights):
    """Each weight's centroid as a number in the order of values, with zero as 0; and how many centroids there are."""
    centroids = np.unique(weights[weights != 0])
    below = int((centroids < 0).sum())
    numbers = np.searchsorted(centroids, weights) - below
    numbers[numbers >= 0] += 1
    numbers[weights == 0] = 0
    return np.ascontiguousarray(numbers, dtype=np.int32), len(centroids)


def _options(coder):
    return coder.HdspMode.AlwaysOff, np.zeros(2, np.int8), 0, 0


def encoded(coder, numbers):
    """The stream of a tensor's numbers."""
    encoder = coder.Encoder()
    encoder.initCtxModels(CONTEXTS, 1)
    encoder.encodeLayer(numbers, 0, 0, 0, 0, 0, np.zeros(len(numbers), np.int32), *_options(coder))
    return np.array(encoder.finish(), np.uint8)


def decoded(coder, stream, shape):
    """The numbers of a stream."""
    decoder, numbers = coder.Decoder(), np.zeros(shape, np.int32)
    decoder.setStream(stream)
    decoder.initCtxModels(CONTEXTS)
    decoder.decodeLayer(numbers, 0, 0, 0, 0, *_options(coder))
    return numbers


def coded_bytes(coder, numbers):
    stream = encoded(coder, numbers)
    if not np.array_equal(decoded(coder, stream, numbers.shape), numbers):
        raise ValueError("nncodec decodes something else")
    return len(stream)


def main(model, weights):
    coder, total = load_coder(), 0
    with np.load(weights) as arrays:
        for name in arrays.files:
            numbers, centroids = numbered(arrays[name])
            total += coded_bytes(coder, numbers) + 4 * centroids
    print(total)


if __name__ == "__main__":
    main(*sys.argv[1:])
