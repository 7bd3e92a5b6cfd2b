from __future__ import annotations

import json
import os
import pickle
import re
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import dcz as package


@pytest.fixture(scope="session")
def converted(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("converted") / "lenet.dcz"
    package.convert(checkpoint, path)
    return path


def test_lossless_by_default(dcz: Callable, checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "lenet.dcz"
    result = dcz("convert", checkpoint, "-o", path, "--json")
    assert result.code == 0
    report = json.loads(result.out)
    assert report["lossless"] is True
    assert report["file_bytes"] == path.stat().st_size
    assert all(tensor["max_error"] == tensor["rms_error"] == 0 for tensor in report["tensors"])
    assert report["seconds"]
    state = torch.load(checkpoint, weights_only=True)
    with package.open(path) as container:
        assert all(np.array_equal(container.tensor(name), tensor.numpy()) for name, tensor in state.items())
    assert list(tmp_path.iterdir()) == [path]


def test_the_default_output_stands_beside_the_model(dcz: Callable, checkpoint: Path, tmp_path: Path) -> None:
    model = tmp_path / "net.v2.pt"
    model.write_bytes(checkpoint.read_bytes())
    result = dcz("convert", model)
    assert result.code == 0
    assert "net.v2.dcz: lossless" in result.out
    assert dcz("info", tmp_path / "net.v2.dcz").code == 0


def test_lossy_shows_errors_by_layer(dcz: Callable, checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "small.dcz"
    result = dcz("convert", checkpoint, "-o", path, "--prune", "percent:95", "--bits", "3")
    assert result.code == 0
    assert "max error" in result.out
    assert "lossy" in result.out
    report = json.loads(dcz("convert", checkpoint, "-o", path, "--prune", "percent:95", "--bits", "fc=2", "--json").out)
    assert report["lossless"] is False
    weights = [tensor for tensor in report["tensors"] if tensor["name"].endswith("weight")]
    assert all(tensor["density"] <= 0.06 and (tensor["codebook_size"] or 0) <= 4 for tensor in weights)
    assert all(0 < tensor["rms_error"] <= tensor["max_error"] for tensor in weights)


def test_labels_and_preprocessing_go_into_the_file(dcz: Callable, checkpoint: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"digit {i}" for i in range(10)) + "\n")
    preprocess = tmp_path / "pre.json"
    preprocess.write_text('{"mode": "L", "resize": [28, 28], "mean": [0.25]}')
    path = tmp_path / "x.dcz"
    assert dcz("convert", checkpoint, "-o", path, "--labels", labels, "--preprocess", preprocess).code == 0
    with package.open(path) as container:
        assert container.labels == [f"digit {i}" for i in range(10)]
        assert container.preprocess is not None
        assert container.preprocess.mean == (0.25,)


def test_verify_against_the_checkpoint(dcz: Callable, checkpoint: Path, converted: Path) -> None:
    found = json.loads(dcz("verify", converted, "--against", checkpoint, "--json").out)
    assert found["ok"] is True
    assert found["tensors_equal"] is True
    assert 0 <= found["max_output_error"] < 1e-4
    assert "equal" in dcz("verify", converted, "--against", checkpoint).out


def test_verify_against_another_checkpoint_fails(
    dcz: Callable, checkpoint: Path, converted: Path, tmp_path: Path
) -> None:
    state = torch.load(checkpoint, weights_only=True)
    state["fc2.weight"] += 0.5
    torch.save(state, tmp_path / "other.pt")
    result = dcz("verify", converted, "--against", tmp_path / "other.pt", "--json")
    found = json.loads(result.out)
    assert (result.code, found["ok"], found["tensors_equal"]) == (1, False, False)
    assert any("fc2.weight" in problem for problem in found["problems"])


class Exploit:
    """What a malicious checkpoint looks like: unpickling it writes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.marker,))


@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_code_in_a_pickle_is_refused_and_not_run(fails: Callable, tmp_path: Path, how: str) -> None:
    marker, model = tmp_path / "executed", tmp_path / "evil.pt"
    payload = {"fc1.weight": torch.ones(2, 2), "x": Exploit(marker)}
    if how == "torch":
        torch.save(payload, model)
    else:
        model.write_bytes(pickle.dumps(payload))
    assert "evil.pt" in fails("convert", model)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.pt"]


@pytest.mark.parametrize("kind", ["missing", "directory", "empty", "text", "truncated"])
@pytest.mark.parametrize("ending", [".pt", ".th", ".safetensors", ".pt2", ".net"])
def test_bad_models(fails: Callable, checkpoint: Path, tmp_path: Path, kind: str, ending: str) -> None:
    model = tmp_path / f"bad{ending}"
    content = checkpoint.read_bytes()
    if kind == "directory":
        model.mkdir()
    elif kind != "missing":
        model.write_bytes({"empty": b"", "text": b"hello\n" * 40, "truncated": content[: len(content) // 2]}[kind])
    assert model.name in fails("convert", model, "-o", tmp_path / "out.dcz")
    assert not (tmp_path / "out.dcz").exists()


@pytest.mark.parametrize(
    ("flags", "said", "code"),
    [
        (["--arch", "no_such_net"], "no_such_net", 1),
        (["--arch", "resnet20_cifar"], "resnet20_cifar", 1),
        (["--arch", "no_such_package.module:factory"], "no_such_package", 1),
        (["--arch", "json:no_such_factory"], "no_such_factory", 1),
        (["--input-shape", "3,32,32"], "32", 1),
        (["--prune", "std:x"], "std:x", 2),
        (["--prune", "percent:120"], "120", 2),
        (["--prune", "half"], "half", 2),
        (["--bits", "x"], "x", 2),
        (["--bits", "99"], "99", 2),
        (["--labels", "no_such_labels.txt"], "no_such_labels.txt", 1),
        (["--preprocess", "no_such.json"], "no_such.json", 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_options(
    dcz: Callable,
    checkpoint: Path,
    tmp_path: Path,
    flags: list[str],
    said: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = dcz("convert", checkpoint, "-o", "out.dcz", *flags)
    assert result.code == code
    assert result.out == ""
    assert result.err.startswith("dcz: error: ")
    assert result.err.count("\n") == 1
    assert said in result.err
    assert "bug in dcz" not in result.err
    assert not list(tmp_path.iterdir())


def test_a_missing_output_folder_is_named(fails: Callable, checkpoint: Path, tmp_path: Path) -> None:
    assert "nowhere" in fails("convert", checkpoint, "-o", tmp_path / "nowhere" / "x.dcz")
    assert not list(tmp_path.iterdir())


def test_the_model_is_never_its_own_output(fails: Callable, tmp_path: Path, checkpoint: Path) -> None:
    model = tmp_path / "model.dcz"
    model.write_bytes(checkpoint.read_bytes())
    fails("convert", model)
    assert model.read_bytes() == checkpoint.read_bytes()


def test_negative_zeros_are_named_and_cost_nothing_once_positive(dcz: Callable, tmp_path: Path) -> None:
    weight = torch.arange(-600.0, 600.0).reshape(30, 40)
    torch.save({"fc.weight": weight * (weight.abs() > 500)}, tmp_path / "masked.pt")
    before = dcz("convert", tmp_path / "masked.pt", "--json")
    assert "500 weights are negative zeros" in before.err
    assert json.loads(before.out)["lossless"] is True
    after = dcz("convert", tmp_path / "masked.pt", "--positive-zeros")
    assert "equal to the model, but for the sign of its zeros" in after.out
    assert "negative zeros" not in after.err
    with package.open(tmp_path / "masked.dcz") as container:
        assert container.file_bytes < json.loads(before.out)["file_bytes"]
        kept = container.tensor("fc.weight")
    assert np.array_equal(kept, (weight * (weight.abs() > 500)).numpy())
    assert not np.signbit(kept[kept == 0]).any()


def test_numbers_that_cannot_go_in_are_refused_or_told(
    dcz: Callable, fails: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"w": torch.ones(30, 40), "packed": (torch.ones(50, 60), None)}, "net.pt")
    error = fails("convert", "net.pt")
    assert "3,000 numbers of the model, in 'packed'" in error
    assert "--partial" in error
    assert [path.name for path in tmp_path.iterdir()] == ["net.pt"]
    result = dcz("convert", "net.pt", "--partial")
    assert result.code == 0
    assert "lossless" not in result.out + result.err
    assert "net.dcz: not the whole model: 3,000 numbers are left out" in result.out
    assert "left out of the container: 3,000 numbers of the model, in 'packed'" in result.err
    report = json.loads(dcz("convert", "net.pt", "--partial", "--json").out)
    assert (report["lossless"], report["lost"]) == (False, {"packed": 3000})
    assert dcz("verify", "net.dcz", "--against", "net.pt").code == 1


def test_a_key_picks_one_of_several_dictionaries(dcz: Callable, fails: Callable, tmp_path: Path) -> None:
    torch.save({"G": {"w": torch.ones(2, 2)}, "D": {"w": torch.zeros(3, 3)}}, tmp_path / "gan.pt")
    assert "'G', 'D'; pick one with --key" in fails("convert", tmp_path / "gan.pt")
    assert dcz("convert", tmp_path / "gan.pt", "--key", "D").code == 0
    with package.open(tmp_path / "gan.dcz") as container:
        assert container.tensor("w").shape == (3, 3)
    assert dcz("verify", tmp_path / "gan.dcz", "--against", tmp_path / "gan.pt", "--key", "D").code == 0
    assert dcz("verify", tmp_path / "gan.dcz", "--against", tmp_path / "gan.pt", "--key", "G").code == 1
    assert "expected 'G' or 'D'" in fails("convert", tmp_path / "gan.pt", "--key", "X")


@pytest.mark.parametrize(
    "arguments",
    [
        ("convert", "{model}", "-o", "."),
        ("convert", "."),
        ("export", "{container}", "-o", "folder.pt"),
        ("report", "{container}", "-o", "folder.pt"),
        ("report", "."),
        ("compress", "--arch", "lenet_300_100", "--data", ".", "-o", "."),
    ],
    ids=" ".join,
)
def test_a_folder_is_no_output(
    fails: Callable, checkpoint: Path, small_container: Path, tmp_path: Path, arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.pt").mkdir()
    message = fails(*(argument.format(model=checkpoint, container=small_container) for argument in arguments))
    assert re.match(r"dcz: error: (\.|folder\.pt): (a result cannot|is a directory)", message, re.IGNORECASE), message
    assert [path.name for path in tmp_path.iterdir()] == ["folder.pt"]


def test_a_container_is_not_exported_over_itself(fails: Callable, converted: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.pt"
    model.write_bytes(converted.read_bytes())
    assert "take the place" in fails("export", model, "-o", model)
    assert model.read_bytes() == converted.read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="named pipes are posix's")
def test_a_container_may_go_into_a_pipe(dcz: Callable, checkpoint: Path, converted: Path, tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    result = dcz("convert", checkpoint, "-o", pipe)
    assert (result.code, pipe.is_fifo()) == (0, True)
    assert f"{pipe}: lossless" in result.out
    reader.join(10)
    assert got == [converted.read_bytes()]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_pruned_and_shared_weights_of_any_floating_point_type_are_as_small(
    dcz: Callable, checkpoint: Path, tmp_path: Path, dtype: torch.dtype
) -> None:
    state = torch.load(checkpoint, weights_only=True)
    sizes = {}
    for kind in (torch.float16, dtype):
        torch.save({name: tensor.to(kind) for name, tensor in state.items()}, tmp_path / "net.pt")
        assert dcz("convert", tmp_path / "net.pt", "--prune", "percent:90", "--bits", "4").code == 0
        with package.open(tmp_path / "net.dcz") as container:
            weights = [tensor for tensor in container.info()["tensors"] if len(tensor["shape"]) == 2]
        sizes[kind] = sum(sum(tensor["bytes"].values()) for tensor in weights)
    assert sizes[dtype] == pytest.approx(sizes[torch.float16], rel=0.05)


def test_integer_weights_are_not_pruned_and_that_is_told(dcz: Callable, tmp_path: Path) -> None:
    weights = {f"fc{i}.weight": torch.randint(-100, 100, (40, 50), dtype=torch.int8) for i in range(4)}
    torch.save(weights | {"fc.bias": torch.randn(40)}, tmp_path / "net.pt")
    told = "neither pruned nor shared, since they are integers: 'fc0.weight', 'fc1.weight', 'fc2.weight' and 1 more"
    assert told in dcz("convert", tmp_path / "net.pt", "--prune", "percent:90").err
    assert "integers" not in dcz("convert", tmp_path / "net.pt").err


def test_integer_weights_count_as_weights(dcz: Callable, tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = {
        "fc.weight": torch.randint(-128, 128, (100, 200), dtype=torch.int8),
        "fc.scale": torch.rand(100),
        "norm.num_batches_tracked": torch.tensor(7),
    }
    torch.save(state, tmp_path / "net.pt")
    report = json.loads(dcz("convert", tmp_path / "net.pt", "--json").out)
    assert report["dense_bytes"] == 4 * (100 * 200 + 100)
    assert report["ratio"] > 3
    assert (report["ratio_course"], report["ratio_paper"]) == (None, None)
    assert "formula" not in dcz("convert", tmp_path / "net.pt").out


def test_a_file_that_grew_says_so(dcz: Callable, tmp_path: Path) -> None:
    torch.save({"a.weight": torch.randn(3, 4)}, tmp_path / "net.pt")
    assert "the file is larger than its weights in fp32" in dcz("convert", tmp_path / "net.pt").out
    torch.save({"a.weight": torch.zeros(100, 100)}, tmp_path / "net.pt")
    assert "larger" not in dcz("convert", tmp_path / "net.pt").out
    torch.save({"steps": torch.tensor(7)}, tmp_path / "net.pt")
    said = dcz("convert", tmp_path / "net.pt").out
    assert "bytes, without a weight" in said
    assert "ratio" not in said


def test_formulas_count_what_is_not_coded_too(dcz: Callable, tmp_path: Path) -> None:
    """One small layer that is shared does not make the ratio of the whole."""
    torch.manual_seed(0)
    shared = torch.randn(4)[torch.randint(4, (20, 20))]
    torch.save({"a.weight": torch.randn(100, 100), "b.weight": shared}, tmp_path / "net.pt")
    report = json.loads(dcz("convert", tmp_path / "net.pt", "--json").out)
    symbols, values = report["bytes"]["symbols"], report["bytes"]["values"]
    assert values > 3 * 10_000
    assert report["ratio_course"] == pytest.approx(4 * 10_400 / (values + symbols))
    assert 1 < report["ratio_paper"] < report["ratio_course"]
