import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dcz
from dcz.dcformat import Graph, Input, InputError, Output, make_node, write
from dcz.runtime.arguments import Arguments

ONE = np.ones((2, 3), np.float32)
IDS = np.array([[0, 1], [6, 2]])


def arguments() -> Arguments:
    return Arguments({"x": (3,), "ids": (2,)}, {1: 7})


@pytest.mark.parametrize("given", [(ONE, IDS), ({"ids": IDS, "x": ONE},), (ONE.tolist(), IDS.astype(np.uint8))])
def test_in_turn_or_by_name(given: Any) -> None:
    x, ids = arguments()(given)
    assert (x.dtype, ids.dtype) == (np.float32, np.float32)
    assert np.array_equal(x, ONE)
    assert np.array_equal(ids, IDS)


def test_a_batch_as_the_network_takes_it_is_passed_on() -> None:
    check = Arguments({"x": (3,)}, {})
    assert check((ONE,))[0] is ONE
    (other,) = check((np.ma.masked_array(ONE),))
    assert type(other) is np.ndarray
    for wrong in (ONE[0], np.float32(1), np.array(1, np.float32)):
        with pytest.raises(InputError, match="batch has the wrong shape"):
            check((wrong,))
    with pytest.raises(InputError, match="batch has the wrong shape"):
        Arguments({"x": ()}, {})((np.array(1, np.float32),))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((ONE,), "the network has several inputs (expected 2 (x, ids), found 1); call model(x, ids), or model({'x'"),
        (({"x": ONE},), "the inputs have other names (expected 'x', 'ids', found 'x')"),
        ((ONE, IDS[:1]), "different numbers of samples (expected the same N, found x 2, ids 1)"),
        ((ONE[:, :2], IDS), "batch has the wrong shape (input 'x', expected (N, 3), found (2, 2))"),
        ((ONE, IDS.astype(np.float32)), "not made of integers (input 'ids', expected int64, found float32)"),
        ((ONE, IDS + 1), "number is out of range (input 'ids', expected 0 to 6, found 7)"),
        ((ONE, -IDS), "number is out of range (input 'ids', expected 0 to 6, found -1)"),
        ((IDS, IDS), "batch holds integers, as images do (input 'x'"),
    ],
)
def test_what_does_not_fit_is_refused(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        arguments()(given)


def test_images_are_for_one_input_and_one_output(tmp_path: Path) -> None:
    write(tmp_path / "i.dcz", Graph((Input((3, 4, 4), "x"), Input((3,), "y")), (make_node("relu", (0,)),), 2), {})
    with pytest.raises(InputError, match=r"images are for networks of one input \(found 2: x, y\); call the model"):
        dcz.load(tmp_path / "i.dcz").predict(np.zeros((4, 4, 3), np.uint8))
    write(tmp_path / "o.dcz", Graph((3, 4, 4), (make_node("relu", (0,)),), (Output(1, "a"), Output(0, "b"))), {})
    model = dcz.load(tmp_path / "o.dcz")
    with pytest.raises(InputError, match=r"networks of one output \(found 2: a, b\); call the model and pick one"):
        model.predict(np.zeros((4, 4, 3), np.uint8))
    assert set(model(model.noise(3))) == {"a", "b"}
