"""Interpolation against ONNX's reference implementation, and the attributes that are refused."""

import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dcz.dcformat import OPS, FormatError, Graph, infer_shapes, make_node
from dcz.dcformat.graph.ops.resize import COORDINATES, MODES, ROUNDINGS, positions

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
ONNX = {"mode": "mode", "coordinates": "coordinate_transformation_mode", "rounding": "nearest_mode"}


def resize_of_onnx(x, output, attrs):
    onnx = pytest.importorskip("onnx")
    reference = pytest.importorskip("onnx.reference")
    named = {theirs: attrs[ours] for ours, theirs in ONNX.items()}
    node = onnx.helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], **named, cubic_coeff_a=attrs["cubic_a"])
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, None) for name in "xy"]
    lengths = onnx.numpy_helper.from_array(np.array([*x.shape[:2], *output]), "sizes")
    graph = onnx.helper.make_graph([node], "resize", values[:1], values[1:], [lengths])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 19)])
    return reference.ReferenceEvaluator(model).run(None, {"x": x})[0]


def certain(size, output, coordinates, rounding):
    """Outputs whose nearest input does not hang on the last bit of a position, which ONNX's reference has in fp32."""
    at = positions(size, output, 0.0, coordinates) + (0.5 if rounding.startswith("round") else 0.0)
    return np.flatnonzero(abs(at - np.round(at)) > 1e-5)


@settings(deadline=None, max_examples=50)
@given(
    sizes,
    sizes,
    st.sampled_from(MODES),
    st.sampled_from(COORDINATES),
    st.sampled_from(ROUNDINGS),
    st.sampled_from([-0.75, -0.5]),
)
def test_it_is_the_resize_of_onnx(size, output, mode, coordinates, rounding, cubic_a):
    x = np.random.default_rng(size[0]).normal(size=(1, 2, *size))
    attrs = {"mode": mode, "coordinates": coordinates, "rounding": rounding, "cubic_a": cubic_a}
    found = OPS["resize"].meaning(x, output=output, scale_y=0.0, scale_x=0.0, **attrs)
    if mode == "cubic" and coordinates == "pytorch_half_pixel":
        assume(1 not in output)  # the reference then takes the position -.5, the specification and ONNX Runtime 0
    expected = resize_of_onnx(x, output, attrs)
    if mode == "nearest":
        rows, columns = (certain(size[i], output[i], coordinates, rounding) for i in range(2))
        found, expected = found[:, :, rows[:, None], columns], expected[:, :, rows[:, None], columns]
    np.testing.assert_allclose(found, expected, atol=2e-5)  # its positions are fp32


@pytest.mark.parametrize(
    ("attrs", "size", "output", "expected"),
    [
        (("nearest", "half_pixel"), 7, 9, [0, 0, 1, 2, 3, 3, 4, 5, 6]),  # 4.5 * 7 / 9 - .5 is 3, in fp32 a little less
        (("cubic", "pytorch_half_pixel"), 2, 1, [0]),
    ],
)
def test_it_is_the_resize_of_onnx_runtime_where_the_reference_is_not(attrs, size, output, expected):
    x = np.arange(float(size)).reshape(1, 1, size, 1)
    named = dict(zip(("mode", "coordinates"), attrs, strict=True), rounding="floor", cubic_a=-0.75)
    found = OPS["resize"].meaning(x, output=(output, 1), scale_y=0.0, scale_x=0.0, **named)
    assert found.ravel().tolist() == expected


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ({"output": (4,)}, "output must have 2 integers from 1 to 4194304, found [4]"),
        ({"output": (4, 0)}, "output must have 2 integers from 1 to 4194304, found [4, 0]"),
        ({"output": (1, 4194305)}, "output must have 2 integers from 1 to 4194304, found [1, 4194305]"),
        ({"mode": "area"}, "mode must be one of nearest, linear, cubic, found 'area'"),
        ({"coordinates": ""}, "coordinates must be one of half_pixel, "),
        ({"rounding": "up"}, "rounding must be one of floor, ceil, "),
        ({"scale_y": -1.0}, "scale_y must be 0 or lie in 2^-20..2^20, found -1.0"),
        ({"scale_x": float("nan")}, "scale_x must be 0 or lie in"),
        ({"cubic_a": float("inf")}, "cubic_a must lie in -4..4, found inf"),
    ],
)
def test_attributes_that_make_no_sense_are_refused(attrs, message):
    node = make_node("resize", (0,), attrs={"output": (4, 4), **attrs})
    with pytest.raises(FormatError, match=re.escape(message)):
        infer_shapes(Graph((3, 5, 5), (node,), 1), {})


def test_values_of_other_ranks_are_refused():
    node = make_node("resize", (0,), attrs={"output": (4,)})
    with pytest.raises(FormatError, match=re.escape("input must be (C, L) or (C, H, W), found [5]")):
        infer_shapes(Graph((5,), (node,), 1), {})
