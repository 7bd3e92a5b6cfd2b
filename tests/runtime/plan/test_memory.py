"""Memory layouts: nothing alive overlaps, and what may share does."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dcz.runtime.plan.memory import ALIGNMENT, Use, lay_out


@given(st.integers(0, 2**32))
def test_living_values_and_scratch_never_overlap(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 30))
    sizes = {value: int(rng.integers(1, 100)) for value in range(count + 1)}
    uses = []
    for value in range(1, count + 1):
        reads = tuple(int(v) for v in rng.integers(max(0, value - 5), value, rng.integers(1, 4)))
        uses.append(Use(reads, value, scratch=int(rng.integers(0, 50))))
    given = list(range(int(rng.integers(1, 3))))
    uses = uses[len(given) - 1 :]
    kept = rng.integers(count + 1, size=rng.integers(1, 3)).tolist()
    layout = lay_out(sizes, uses, given, kept)

    last = dict.fromkeys(kept, count)
    for step, use in enumerate(uses):
        for value in (*use.reads, use.makes):
            last[value] = max(step, last.get(value, -1))
    for step, use in enumerate(uses):
        alive = [v for v in range(use.makes + 1) if last.get(v, -1) >= step]
        runs = [(layout.values[v], sizes[v]) for v in alive] + [(layout.scratch[step], use.scratch)]
        runs = sorted(run for run in runs if run[1])
        assert all(start % ALIGNMENT == 0 for start, _ in runs)
        assert all(start + size <= after for (start, size), (after, _) in pairwise(runs))
        assert runs[-1][0] + runs[-1][1] <= layout.elements


def test_a_view_lies_in_what_it_views():
    uses = [Use((0,), 1, overwrites=(0,)), Use((1,), 2, view=True, offset=3), Use((2,), 3, overwrites=(2,))]
    layout = lay_out({0: 8, 1: 8, 2: 5, 3: 5}, uses, [0], [3])
    assert layout.values[1] == layout.values[0]
    assert layout.values[2] == layout.values[1] + 3
    assert layout.values[3] >= layout.values[1] + 8


def test_parts_of_a_concatenation_lie_in_it():
    uses = [Use((0,), 1), Use((0,), 2), Use((1, 2), 3, joins=True)]
    layout = lay_out({0: 8, 1: 5, 2: 7, 3: 12}, uses, [0], [3])
    assert (layout.values[1], layout.values[2]) == (layout.values[3], layout.values[3] + 5)


def test_a_part_lies_in_one_concatenation_only():
    uses = [Use((0,), 1), Use((1, 0), 2, joins=True), Use((1, 0), 3, joins=True), Use((2, 3), 4)]
    layout = lay_out({0: 8, 1: 8, 2: 16, 3: 16, 4: 1}, uses, [0], [4])
    assert layout.values[1] == layout.values[2] != layout.values[3]


def test_the_same_part_twice_is_copied():
    layout = lay_out({0: 8, 1: 16}, [Use((0, 0), 1, joins=True)], [0], [1])
    assert layout.values[0] != layout.values[1]
    assert layout.elements == 32


def test_a_residual_that_is_also_the_input_is_not_overwritten():
    layout = lay_out({0: 16, 1: 16}, [Use((0, 0), 1, overwrites=(0,))], [0], [1])
    assert layout.values[0] != layout.values[1]


def test_a_part_that_others_read_later_is_not_overwritten():
    uses = [Use((0,), 1, overwrites=(0,)), Use((0, 1), 2)]
    layout = lay_out({0: 16, 1: 16, 2: 16}, uses, [0], [2])
    assert layout.values[0] != layout.values[1]
