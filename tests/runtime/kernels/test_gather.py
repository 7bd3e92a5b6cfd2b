import numpy as np
import pytest

from dcz.runtime.kernels.gather import gather_rows


@pytest.mark.parametrize("lanes", [1, 16])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (5, 17), (40, 3)])
def test_rows_are_those_of_the_table(rows: int, columns: int, lanes: int) -> None:
    rng = np.random.default_rng(0)
    table = rng.standard_normal((rows, columns), np.float32)
    x = rng.integers(rows, size=(2, 7, lanes)).astype(np.float32)
    out = np.empty((2, 7, columns, lanes), np.float32)
    gather_rows(x, table, out)
    np.testing.assert_array_equal(out, np.moveaxis(table[x.astype(int)], 3, 2))


def test_numbers_that_are_no_rows_stay_inside_of_the_table() -> None:
    table = np.arange(3, dtype=np.float32)[:, None]
    x = np.array([np.nan, -np.inf, -1, -0.0, 0.5, 1.999, 2, 3, 1e30, np.inf], np.float32)
    out = np.empty((1, len(x), 1, 1), np.float32)
    gather_rows(x.reshape(1, -1, 1), table, out)
    assert out.reshape(-1).tolist() == [0, 0, 0, 0, 0, 1, 2, 2, 2, 2]
