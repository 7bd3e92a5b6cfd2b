from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import agrees, node, ops, save

from dcz.converters.frontends.onnx_files.onnx_file import from_onnx
from dcz.dcformat import UnsupportedOpError

DOUBLE = np.array([1, 1, 2, 2], np.float32)
ODD = np.array([1, 1, 1.5, 2.6], np.float32)
FORMS: dict[str, dict[str, Any]] = {
    "nearest": {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "nearest, the default": {},
    "nearest, aligned": {"coordinate_transformation_mode": "align_corners", "nearest_mode": "round_prefer_ceil"},
    "linear": {"mode": "linear"},
    "linear, torch's": {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
    "linear, aligned": {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    "linear, asymmetric": {"mode": "linear", "coordinate_transformation_mode": "asymmetric"},
    "cubic": {"mode": "cubic", "coordinate_transformation_mode": "half_pixel"},
    "cubic, another a": {"mode": "cubic", "cubic_coeff_a": -0.5},
}


@pytest.mark.parametrize("scales", [DOUBLE, ODD], ids=["double", "odd"])
@pytest.mark.parametrize("attributes", FORMS.values(), ids=FORMS)
def test_resize_by_scales(tmp_path: Path, attributes: dict[str, Any], scales: Any) -> None:
    source = agrees(save(tmp_path / "net.onnx", [node("Resize", "x _ s", **attributes)], {"s": scales}))
    assert ops(source) == ["resize"]


def test_resize_to_sizes(tmp_path: Path) -> None:
    nodes = [node("Resize", "x _ _ s", mode="linear", axes=[3, 2])]
    agrees(save(tmp_path / "net.onnx", nodes, {"s": np.array([5, 20])}, opset=18))


def test_a_line(tmp_path: Path) -> None:
    nodes = [node("Resize", "x _ s", mode="linear")]
    agrees(save(tmp_path / "net.onnx", nodes, {"s": np.array([1, 1, 2.5], np.float32)}, shape=("N", 4, 9)))


@pytest.mark.parametrize(("op", "opset"), [("Upsample", 9), ("Resize", 10)])
def test_older_versions(tmp_path: Path, op: str, opset: int) -> None:
    agrees(save(tmp_path / "net.onnx", [node(op, "x s", mode="linear")], {"s": DOUBLE}, opset=opset))


@pytest.mark.parametrize(
    ("attributes", "scales", "why"),
    [
        ({"coordinate_transformation_mode": "tf_crop_and_resize"}, DOUBLE, "tf_crop_and_resize is not supported"),
        ({}, DOUBLE[::-1], "only height and width can be resized"),
        ({"mode": "cubic", "exclude_outside": 1}, DOUBLE, "exclude_outside is not supported"),
    ],
)
def test_refused_forms(tmp_path: Path, attributes: dict[str, Any], scales: Any, why: str) -> None:
    with pytest.raises(UnsupportedOpError, match=why):
        from_onnx(save(tmp_path / "net.onnx", [node("Resize", "x _ s", **attributes)], {"s": scales}))
