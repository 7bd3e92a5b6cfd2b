"""Order, cells and padded places of columns, against NumPy."""

import numpy as np
import pytest

from dcz.dcformat.encoding.context_layout import Columns, Layout, Rows, places_of


@pytest.mark.parametrize("shape", [(3, 5), (2, 4, 3, 2), (2, 3, 1, 5)])
def test_places_leave_a_line_above_and_a_column_before_each_kernel(shape: tuple[int, ...]) -> None:
    places, size, up = places_of(shape)
    channels, (height, width) = shape[1], (1, 1, *shape[2:])[-2:]
    padded = np.arange(channels * (height + 1) * (width + 1)).reshape(channels, height + 1, width + 1)
    assert places.tolist() == (padded[:, 1:, 1:].reshape(-1)).tolist()
    assert (size, up) == (padded.size, width + 1)


@pytest.mark.parametrize("rows", [Rows.CHANNELS, Rows.EACH])
@pytest.mark.parametrize("columns", list(Columns))
def test_columns_are_sorted_by_kernel_position_and_class(rows: Rows, columns: Columns) -> None:
    rng = np.random.default_rng(5)
    shape, inner = (7, 6, 2, 3), 6
    width, parts = 36, inner if rows == Rows.EACH else 1
    row_classes = rng.integers(-2, 4, 7 * parts)
    count = {Columns.NONE: 0, Columns.CHANNELS: 6, Columns.EACH: width}[columns]
    column_classes = rng.integers(-1, 3, count)
    layout = Layout.of(shape, rows, columns, row_classes, column_classes)

    of_column = {
        Columns.NONE: np.zeros(width, np.int64),
        Columns.CHANNELS: np.repeat(column_classes, inner),
        Columns.EACH: column_classes,
    }[columns]
    part_of = np.arange(width) % parts
    if len(layout.order):
        assert layout.order.tolist() == np.lexsort((of_column, part_of)).tolist()
    tables = (row_classes - row_classes.min()).reshape(7, parts)[:, part_of] + (of_column - of_column.min())
    assert layout.cells().tolist() == np.bincount(tables.reshape(-1)).tolist()
