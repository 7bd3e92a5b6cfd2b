"""Eight bytes at a time against one at a time, in plain Python: integers that do not wrap."""

import numpy as np
import pytest

from dcz.dcformat.coding import eight


def plain(name: str) -> object:
    function = getattr(eight, name)
    return getattr(function, "_function", function)


@pytest.mark.parametrize("row", [[0] * 8, [255] * 8, [1, 2, 3, 4, 5, 6, 7, 8], [0, 255, 7, 128, 127, 7, 1, 254]])
def test_bytes_their_sum_and_whether_they_differ(row: list[int]) -> None:
    data = np.array([9, *row], np.uint8)
    with np.errstate(all="raise"):
        word = plain("eight_at")(data, 1)
        assert int(word) == int.from_bytes(bytes(row), "little")
        assert plain("sum_of_eight")(word) == sum(row)
        for value in (0, 1, 7, 8, 127, 128, 255):
            assert plain("all_differ")(word, np.uint64(value) * eight.EACH_BYTE) == (value not in row)
