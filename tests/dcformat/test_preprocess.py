import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcz.dcformat import FormatError, Preprocess
from dcz.dcformat.container.manifest import pack_json, unpack_json
from dcz.dcformat.preprocess import INTERPOLATIONS, MAX_NUMBER, MAX_SIDE, MODES

sides = st.integers(1, MAX_SIDE)
numbers = st.floats(-MAX_NUMBER, MAX_NUMBER)


@st.composite
def settings_of_images(draw: st.DrawFn) -> Preprocess:
    mode = draw(st.sampled_from(sorted(MODES)))
    channels = {"min_size": MODES[mode], "max_size": MODES[mode]}
    return Preprocess(
        mode=mode,
        resize=draw(st.none() | sides | st.tuples(sides, sides)),
        crop=draw(st.none() | st.tuples(sides, sides)),
        interpolation=draw(st.sampled_from(INTERPOLATIONS)),
        scale=draw(numbers),
        mean=tuple(draw(st.lists(numbers, **channels))),
        std=tuple(draw(st.lists(numbers.filter(bool), **channels))),
    )


@given(settings_of_images())
def test_round_trip_through_json(preprocess: Preprocess) -> None:
    data = unpack_json(pack_json(preprocess.to_json()), 1 << 16, "preprocess")
    assert Preprocess.from_json(data) == preprocess


@pytest.mark.parametrize("mode", MODES)
def test_defaults_are_left_out(mode: str) -> None:
    zeros, ones = (0.0,) * MODES[mode], (1.0,) * MODES[mode]
    preprocess = Preprocess(mode=mode, mean=zeros, std=ones)
    assert preprocess.to_json() == ({} if mode == "RGB" else {"mode": mode})
    assert Preprocess.from_json(preprocess.to_json()) == preprocess


def test_integers_are_numbers() -> None:
    floats = Preprocess(scale=1.0, mean=(0.0, 1.0, 2.0), std=(1.0, 2.0, 3.0))
    for same in (
        Preprocess.from_json({"mean": [0, 1, 2], "std": [1, 2, 3], "scale": 1}),
        Preprocess(mean=(0, 1, 2), std=(1, 2, 3), scale=1),
    ):
        assert same == floats
        assert same.to_json() == floats.to_json()
        assert all(type(number) is float for number in (same.scale, *same.mean, *same.std))


@pytest.mark.parametrize(
    "fields",
    [
        {"mode": "CMYK"},
        {"mode": None},
        {"interpolation": "cubic"},
        {"resize": 0},
        {"resize": MAX_SIDE + 1},
        {"resize": (8,)},
        {"resize": [8, 8]},
        {"crop": 8},
        {"crop": (8, 0)},
        {"mean": (0.0,)},
        {"mean": (math.nan, 0.0, 0.0)},
        {"std": (0.0, 1.0, 1.0)},
        {"std": (math.inf, 1.0, 1.0)},
        {"scale": math.nan},
        {"scale": math.inf},
        {"scale": True},
        {"mean": (0, 0, "0")},
        {"mean": (0, 0, 10**9)},
    ],
)
def test_bad_values_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match=f"preprocess: .*{next(iter(fields))}"):
        Preprocess(**fields)


def test_unknown_key_is_named() -> None:
    with pytest.raises(FormatError, match="unknown key 'color'"):
        Preprocess.from_json({"color": "RGB"})
