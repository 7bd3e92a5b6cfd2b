from __future__ import annotations

import json
from pathlib import Path

import pytest

from dcz.converters.frontends.presets import (
    LABELS,
    PREPROCESS,
    check_labels,
    check_preprocess,
    fit_preprocess,
    labels_preset,
    resolve_labels,
    resolve_preprocess,
)
from dcz.dcformat import ConversionError, Preprocess


@pytest.mark.parametrize(("name", "count", "third"), [("imagenet", 1000, "great white shark"), ("cifar10", 10, "bird")])
def test_labels_by_name(name: str, count: int, third: str) -> None:
    labels = resolve_labels(name)
    assert (len(labels), labels[2]) == (count, third)
    assert labels_preset("mnist") == list("0123456789")


def test_labels_from_files(tmp_path: Path) -> None:
    labels = ["caf\u00e9", "b, c", "d"]
    (tmp_path / "l.json").write_text(json.dumps(labels))
    (tmp_path / "l.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    (tmp_path / "l-bom.txt").write_text("\n".join(labels) + "\n", encoding="utf-8-sig")
    (tmp_path / "l-bom.json").write_text(json.dumps(labels), encoding="utf-8-sig")
    given = (*tmp_path.iterdir(), str(tmp_path / "l.txt"), labels, tuple(labels))
    assert all(resolve_labels(one) == labels for one in given)
    assert resolve_labels("none") == []


@pytest.mark.parametrize("content", [b'{"a": 1}', b"[1, 2]", b"[", b"\xff\xfe"])
def test_bad_label_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "l.json"
    path.write_bytes(content)
    with pytest.raises(ConversionError, match=r"l\.json"):
        resolve_labels(path)


def test_no_such_labels(tmp_path: Path) -> None:
    for given in ("imagnet", tmp_path / "l.json", tmp_path):
        with pytest.raises(ConversionError, match=r"unknown labels.*imagenet, cifar10, mnist"):
            resolve_labels(given)


def test_labels_must_fit_the_classes() -> None:
    check_labels(["a", "b"], (2,))
    check_labels(["a", "b"], (2, 7, 7))
    with pytest.raises(ConversionError, match="expected 3, found 2"):
        check_labels(["a", "b"], (3,))


def test_preprocess_by_name_and_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    for name in LABELS:
        path.write_text(json.dumps(PREPROCESS[name].to_json()))
        assert resolve_preprocess(path) == resolve_preprocess(name) == resolve_preprocess(PREPROCESS[name])
    with pytest.raises(ConversionError, match=r"unknown preprocessing 'cifar'.*imagenet, cifar10, mnist"):
        resolve_preprocess("cifar")


@pytest.mark.parametrize("content", ["[]", "{", '{"colour": "RGB"}', '{"mean": 3}', '{"std": [0, 1, 1]}'])
def test_bad_preprocess_files(tmp_path: Path, content: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(content)
    with pytest.raises(ConversionError, match=r"p\.json"):
        resolve_preprocess(path)


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("size", [(28, 28), (227, 227), (64, 48)])
def test_presets_scale_to_another_input(name: str, size: tuple[int, int]) -> None:
    preset = PREPROCESS[name]
    shape = (len(preset.mean), *size)
    check_preprocess(fit_preprocess(preset, shape), shape)


def test_fit_keeps_what_fits_and_the_margin_of_the_crop() -> None:
    assert fit_preprocess(PREPROCESS["imagenet"], (3, 224, 224)) == PREPROCESS["imagenet"]
    assert fit_preprocess(PREPROCESS["imagenet"], (3, 448, 448)).resize == 512


def test_images_may_fill_a_flat_input() -> None:
    assert fit_preprocess(PREPROCESS["mnist"], (784,)) == PREPROCESS["mnist"]
    check_preprocess(PREPROCESS["mnist"], (784,))
    check_preprocess(Preprocess(), (300,))  # the images' own size decides


@pytest.mark.parametrize(
    ("preprocess", "shape"),
    [
        (Preprocess(resize=(32, 32)), (3, 28, 28)),
        (Preprocess(resize=(32, 32)), (1, 32, 32)),
        (Preprocess(crop=(8, 9)), (3, 9, 8)),
        (Preprocess(), (301,)),
        (Preprocess(resize=(10, 11)), (300,)),
    ],
)
def test_preprocessing_must_make_the_input(preprocess: Preprocess, shape: tuple[int, ...]) -> None:
    with pytest.raises(ConversionError, match="does not make the network's input"):
        check_preprocess(preprocess, shape)


def test_a_label_may_hold_what_unicode_counts_as_the_end_of_a_line(tmp_path: Path) -> None:
    labels = ["cat\u2028tabby", "form\x0cfeed", "next\x85line", "group\x1dseparator", "a\rb", "", "dog"]
    for end in ("\n", "\r\n"):
        for last in ("", end):
            (tmp_path / "labels.txt").write_bytes((end.join(labels) + last).encode())
            assert resolve_labels(tmp_path / "labels.txt") == labels
    (tmp_path / "labels.txt").write_bytes(b"")
    assert resolve_labels(tmp_path / "labels.txt") == []
