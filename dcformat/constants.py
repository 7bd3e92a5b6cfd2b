"""Magic bytes, versions and limits of the container: what `docs/format.md` calls by the same names."""

from __future__ import annotations

from typing import Final

# As in PNG: a byte above 127 (7-bit channels), CR LF and a lone LF (text-mode transfers), Ctrl-Z (stops `type`).
MAGIC: Final = b"\x89DCZ\r\n\x1a\n"
VERSION_MAJOR: Final = 1

# Limits. A reader checks each before it takes memory; a writer refuses to pass them.
MAX_MANIFEST_BYTES: Final = 1 << 24
"""Longest manifest, unpacked."""
MAX_LABELS_BYTES: Final = 1 << 24
"""Longest label list, unpacked."""
MAX_RANK: Final = 8
"""Most axes of a tensor."""
MAX_ELEMENTS: Final = 1 << 31
"""Most weights in one file, all tensors together."""
FREE_ELEMENTS: Final = 1 << 22
MAX_EXPANSION: Final = 1 << 12
"""A file may hold FREE_ELEMENTS + MAX_EXPANSION x (its bytes) weights: 1 KB can't ask for 1 TB."""
MAX_ACTIVATION: Final = 1 << 28
"""Most elements of one activation, per sample."""
MAX_LIVE: Final = 1 << 29
"""Most elements of all activations that are needed at one time, per sample: 2 GiB."""
MAX_ENDS: Final = 1 << 10
"""Most inputs, and most outputs, of a network."""
MAX_NODES: Final = 1 << 16
MAX_TENSORS: Final = 1 << 16

MAX_RESIZED_PIXELS: Final = 1 << 28
"""Most pixels of an image after resizing: as many as the largest pair of sides that a container may ask for. They take
1 GiB."""

# Entropy coding.
MAX_CODEBOOK: Final = 256
"""Most centroids of a codebook: a symbol is a byte."""
MAX_WIDE_CODEBOOK: Final = 1 << 12
"""Most centroids of a codebook of `shared_wide`."""
MAX_ADAPTIVE: Final = 1 << 12
"""Most elements of a tensor in `adaptive`: some hundred microseconds to decode."""
MAX_ADAPTIVE_EXPANSION: Final = 64
"""Most elements for each byte of their upper parts."""
MAX_MIXED_EXPANSION: Final = 256
"""Most weights for each byte of a stream of `mixed`: some 40 microseconds a byte."""
MAX_GAP_BITS: Final = 8
MAX_CODE_LENGTH: Final = 12
"""Longest Huffman code: a decoding table of 4096 entries stays in the L1 cache."""
CHUNK_ENTRIES: Final = 1 << 14
"""Stored weights a chunk: each chunk can be decoded on its own."""
