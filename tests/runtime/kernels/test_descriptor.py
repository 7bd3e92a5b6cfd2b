"""Descriptors: every field has one name and one place."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import pytest

from dcz.runtime.kernels.descriptor import Batch16, Block, Conv, Direct, Winograd, WinogradSparse, pack

DESCRIPTORS = [(Conv, Direct), (Conv, Batch16), (Conv, Winograd), (Conv, Winograd, WinogradSparse), (Block,)]


@pytest.mark.parametrize("families", DESCRIPTORS)
def test_no_two_fields_share_a_name_or_a_place(families: tuple[type[IntEnum], ...]) -> None:
    members = [(name, int(field)) for family in families for name, field in family.__members__.items()]
    assert len({name for name, _ in members}) == len(members)
    assert [place for _, place in members] == list(range(len(members)))


def test_values_go_to_their_places_by_name() -> None:
    values = {field.name.lower(): 10 + field for family in (Conv, Batch16) for field in family}
    shuffled = dict(reversed(values.items()))
    np.testing.assert_array_equal(pack(Conv, Batch16, **shuffled), 10 + np.arange(len(values)))
    with pytest.raises(ValueError, match="sums"):
        pack(Conv, Batch16, **{name: value for name, value in values.items() if name != "sums"})
    with pytest.raises(ValueError, match="span"):
        pack(Conv, Batch16, **values, span=1)
