import numpy as np
import pytest

from dcz.core.memory import SMALL, give_back, on_large_pages, room


@pytest.mark.parametrize("count", [1, 1000, 3 << 19, 5 << 20])
def test_room_begins_at_a_cache_line_or_a_large_page(count: int) -> None:
    array = room(count, np.uint16)
    assert (array.shape, array.dtype) == ((count,), np.uint16)
    assert array.ctypes.data % (1 << 21 if count > 1 << 19 else 64) == 0
    array[:] = 7
    assert (array == 7).all()


def test_what_is_in_use_is_not_given_back() -> None:
    kept = [bytes([i]) * 5000 for i in range(100)]
    freed = [bytes(5000) for _ in range(100)]
    del freed
    give_back()
    assert kept == [bytes([i]) * 5000 for i in range(100)]


@pytest.mark.parametrize("elements", [1, 5000, 12_345, 1 << 20])
def test_arrays_on_large_pages_are_copies_that_do_not_overlap(elements: int) -> None:
    arrays = [np.arange(i, i + elements, dtype=np.int16).reshape(1, -1) for i in range(3)]
    copies = [on_large_pages(array) for array in arrays]
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(copy, array)
        assert copy.dtype == array.dtype
        assert (copy is array) == (array.nbytes < SMALL)
    if elements > 1:
        assert not np.shares_memory(copies[0], copies[1])
