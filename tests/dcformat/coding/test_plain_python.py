"""Parts of kernels in plain Python, as ``NUMBA_DISABLE_JIT=1`` runs them: integers that do not wrap."""

import numpy as np

from dcz.dcformat.coding.context_decode import _signed
from dcz.dcformat.coding.context_places import _ones


def test_ones_are_counted() -> None:
    plain = getattr(_ones, "_function", _ones)
    with np.errstate(all="raise"):
        for bits in (0, 1, 0x8000_0000_0000_0001, (1 << 64) - 1, 0x0123_4567_89AB_CDEF):
            assert plain(np.uint64(bits)) == bits.bit_count()


def test_a_sign_of_either_kind_is_taken() -> None:
    plain = getattr(_signed, "_function", _signed)
    slots = np.full(2 * 4096, 7 | 4096 - 1 << 20, np.uint32)
    up, place, plus = np.uint64(3), np.uint64(4), np.full(13, 1000)
    for slot, sign, inner in ((999, 1, 1000 * 5 + 999), (1000, -1, 3096 * 5)):
        signs = np.zeros(8, np.int8)
        with np.errstate(all="raise"):
            symbol, state = plain(slots, plus, signs, place, up, np.uint64(5 << 12 | slot))
        assert signs[4] == sign
        assert (symbol, state) == (7, 4095 * (inner >> 12))
