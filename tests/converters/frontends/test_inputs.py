import pytest

from dcz.converters.frontends.inputs import Asked, InputShapes, as_asked, asked_inputs, check_asked, parse_input
from dcz.dcformat import ConversionError, Graph, Input


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ((3, 8, 8), [Asked((3, 8, 8))]),
        ([32, "int64"], [Asked((32,), "I64")]),
        ([(3, 8, 8), (5, "float32")], [Asked((3, 8, 8)), Asked((5,), "F32")]),
        ({"x": (3,), "ids": [32, "int64"]}, [Asked((3,), None, "x"), Asked((32,), "I64", "ids")]),
        ([Asked((3,), None, "x")], [Asked((3,), None, "x")]),
    ],
)
def test_shapes_of_one_input_and_of_several(given: InputShapes, asked: list[Asked]) -> None:
    assert asked_inputs(given) == tuple(asked)


@pytest.mark.parametrize("text", ["3,8,8", "x:3,8,8", "ids:32:int64", "32:int64", "a:b:4"])
def test_text_round_trips(text: str) -> None:
    assert str(parse_input(text)) == text


@pytest.mark.parametrize("text", ["", "x:", ":3", "3;8", "3,8,", "-3", "ids:32:int32", "int64", "3,8,8:"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ConversionError, match=r"not the shape of an input.*NAME:3,32,32"):
        parse_input(text)


@pytest.mark.parametrize("given", [(), (0, 3), (3, -1), ("int64",), {"x": ()}])
def test_sizes_are_one_or_more(given: InputShapes) -> None:
    with pytest.raises(ConversionError, match="must be sizes of 1 or more") as refused:
        asked_inputs(given)
    assert ("one number a sample" in str(refused.value)) == (given in ((), {"x": ()}))


def test_an_unknown_element_type_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"element type.*float32 or int64, found 'int8'"):
        asked_inputs((3, "int8"))


def test_a_graph_is_asked_for_by_its_own_inputs() -> None:
    for graph in (Graph((3,), (), 0), Graph((Input((3,), "a"), Input((4,), "b", "I64")), (), 0)):
        check_asked(graph, as_asked(graph), "it")
    check_asked(graph, asked_inputs({"b": (4,), "a": (3,)}), "it")
    with pytest.raises(ConversionError, match=r"it takes another input shape \(expected \{'a': \[3\], 'b': \[4\]\}"):
        check_asked(graph, asked_inputs((3,)), "it")
