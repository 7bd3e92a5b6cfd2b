"""Where the batch lies, against NumPy: whatever a view does, the samples keep their elements in their order."""

from __future__ import annotations

from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dcz.converters.frontends.exported.place import FIRST, Place, after_operator, after_view

SIZES = st.lists(st.sampled_from([1, 2, 3, 4]), max_size=3).map(tuple)
SAMPLES = st.sampled_from([1, 2, 3, 1009])


def samples(tensor: NDArray[np.int64], place: Place, batch: int) -> NDArray[np.int64]:
    """The tensor's samples, of the shape that the place gives them."""
    axis = place.axis
    split = tensor.reshape(*tensor.shape[:axis], place.outer, batch, place.inner, *tensor.shape[axis + 1 :])
    return np.moveaxis(split, axis + 1, 0).reshape(batch, *place.sample(tensor.shape))


@given(SIZES, SIZES, SAMPLES, st.data())
def test_a_view_keeps_the_samples(
    before: tuple[int, ...], after: tuple[int, ...], batch: int, data: st.DataObject
) -> None:
    own = [*before, batch, *after]
    viewed: list[int] = []
    for size in own:  # some neighbours joined
        if viewed and data.draw(st.booleans()):
            viewed[-1] *= size
        else:
            viewed.append(size)
    tensor = np.arange(prod(own)).reshape(own)
    place = Place(len(before))
    found = after_view(tuple(own), place, tuple(viewed), batch)
    assert found is not None
    assert found.fits(tuple(viewed), batch)
    wanted = samples(tensor, place, batch).reshape(batch, -1)
    np.testing.assert_array_equal(samples(tensor.reshape(viewed), found, batch).reshape(batch, -1), wanted)
    back = after_view(tuple(viewed), found, tuple(own), batch)
    assert back is not None
    np.testing.assert_array_equal(samples(tensor, back, batch).reshape(batch, -1), wanted)


def test_a_view_that_cuts_across_samples_has_no_place() -> None:
    assert after_view((2, 6), FIRST, (4, 3), 2) == Place(0, 1, 2)
    assert after_view((2, 3), FIRST, (3, 2), 2) is None
    assert after_view((6, 2), Place(1), (3, 4), 2) == Place(1, 2, 1)
    assert after_view((3, 2, 4), Place(1), (4, 6), 2) is None


def test_of_several_places_that_with_the_fewest_folded_elements_is_taken() -> None:
    assert after_view((1, 4, 5), FIRST, (1, 20), 1) == FIRST
    assert after_view((2, 1, 5), FIRST, (2, 5), 2) == FIRST


def test_axes_of_a_sample() -> None:
    place = Place(1, 3, 4)
    assert place.sample((7, 24, 5)) == (7, 3, 4, 5)
    assert place.folded_axes == (1, 2)
    assert [place.own_axis(dim) for dim in (0, 2)] == [0, 3]


def test_an_operator_leaves_the_batch_where_it_is() -> None:
    windows, moved = Place(0, 1, 9), Place(1)
    assert after_operator([(3, windows)], (18, 4, 7), 2) == windows
    assert after_operator([(3, moved), (3, moved)], (6, 2, 7), 2) == moved
    assert after_operator([(3, moved)], (2, 7), 2) == FIRST  # the first axis was reduced
    assert after_operator([(2, FIRST), (3, moved)], (6, 2, 7), 2) == moved  # broadcast
    assert after_operator([(3, moved)], (5, 6, 2, 7), 2) == Place(2)


def test_operators_without_one_place_have_none() -> None:
    assert after_operator([(3, FIRST), (3, Place(1))], (2, 2, 7), 2) is None
    assert after_operator([(2, FIRST)], (1, 7), 2) is None  # a sample was dropped
    assert after_operator([(3, Place(1))], (2, 2), 2) is None  # either axis may be the batch
