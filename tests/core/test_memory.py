import numpy as np
import pytest

from dcz.core.memory import room


@pytest.mark.parametrize("count", [1, 1000, 3 << 19, 5 << 20])
def test_room_begins_at_a_cache_line_or_a_large_page(count: int) -> None:
    array = room(count, np.uint16)
    assert (array.shape, array.dtype) == ((count,), np.uint16)
    assert array.ctypes.data % (1 << 21 if count > 1 << 19 else 64) == 0
    array[:] = 7
    assert (array == 7).all()
