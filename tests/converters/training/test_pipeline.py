"""A whole recipe on a made-up MNIST, down to the container that the runtime runs."""

from __future__ import annotations

import csv
import json
import logging
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import dcz
from dcz.converters.architectures import ARCHITECTURES
from dcz.converters.training import pipeline, stages
from dcz.converters.training.data.datasets import Dataset, Split
from dcz.converters.training.pipeline import compress
from dcz.converters.training.recipe import Recipe, Stage
from dcz.converters.training.report import CompressionReport
from dcz.converters.training.training import Score, Settings
from dcz.dcformat import ConversionError, InputError

FAST = Settings(epochs=2, batch=32, lr=0.05)
RECIPE = Recipe(
    "lenet_300_100",
    (
        Stage("train", FAST),
        Stage("prune", FAST, density=0.1, least=0.05),
        Stage("share", Settings(epochs=1, batch=32, optimizer="adam", lr=1e-4, distill=0.5), bits="fc=4,fc3=3"),
    ),
    validation=100,
)


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures whose class is the position of a bright bar, as MNIST's files."""
    folder = tmp_path_factory.mktemp("mnist")
    rng = np.random.default_rng(0)
    for part, count in (("train", 500), ("t10k", 120)):
        images = rng.integers(0, 60, (count, 28, 28), dtype=np.uint8)
        labels = rng.integers(0, 10, count).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[2 * label + 3 : 2 * label + 5] += 150
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (folder / f"{part}-{name}-ubyte").write_bytes(header + array.tobytes())
    return folder


OWN = """
from torch import nn


def make():
    return nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 13 * 13, 10))
"""


def test_a_network_of_ones_own_by_a_recipe_that_names_none(
    mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_network.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    stages = RECIPE.stages[0], replace(RECIPE.stages[2], bits="fc=4,3=3")
    recipe = replace(RECIPE, arch="", stages=stages, calibrate="max")
    own = {"arch": "own_network:make", "input_shape": (1, 28, 28)}
    report = compress(mnist, "net.dcz", recipe, **own)
    assert report.test_accuracy > 0.9
    assert dcz.load("net.dcz").predict(np.zeros((28, 28), np.uint8))
    with dcz.open("net.dcz") as container:
        assert list(container.graph.quantization.weights) == ["0.weight"]
    with pytest.raises(ConversionError, match="no architecture is named"):
        compress(mnist, "net.dcz", recipe)
    with pytest.raises(ConversionError, match="for another network"):
        compress(mnist, "net.dcz", RECIPE, **own)


def test_an_exported_program_is_compressed_from_its_weights(mnist: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    made: dict[str, Any] = {}
    exec(OWN, made)
    network, program, work = made["make"]().eval(), str(tmp_path / "net.pt2"), tmp_path / "work"
    torch.export.save(torch.export.export(network, (torch.randn(1, 1, 28, 28),)), program)
    recipe = replace(RECIPE, arch="", stages=(RECIPE.stages[0], Stage("prune", FAST, density=0.2)))
    report = compress(mnist, tmp_path / "net.dcz", recipe, arch=program, work=work)
    assert [stage.stage for stage in report.stages] == ["2 prune"]  # it has its weights, so the first is left out
    assert report.stages[0].density == pytest.approx(0.2, abs=0.01)
    assert report.test_accuracy > 0.5
    with dcz.open(tmp_path / "net.dcz") as container:
        assert set(container.entries) == set(network.state_dict())
    compress(mnist, tmp_path / "again.dcz", recipe, arch=program, work=work)
    assert (tmp_path / "again.dcz").read_bytes() == (tmp_path / "net.dcz").read_bytes()
    with pytest.raises(ConversionError, match=r"another input \(expected \[1, 28, 28\], found \[3, 28, 28\]"):
        compress(mnist, tmp_path / "net.dcz", recipe, arch=program, input_shape=(3, 28, 28))
    with pytest.raises(ConversionError, match="has its weights already"):
        compress(mnist, tmp_path / "net.dcz", recipe, arch=program, checkpoint=program)
    with pytest.raises(InputError, match="take the place of what it is made of"):
        compress(mnist, program, recipe, arch=program)


def test_from_scratch_to_container(mnist: Path, tmp_path: Path) -> None:
    out, work = tmp_path / "net.dcz", tmp_path / "work"
    report = compress(mnist, out, RECIPE, work=work, artefacts=tmp_path / "set")
    assert report.test_accuracy > 0.9
    assert report.test_pictures == 120
    dense, pruned, shared = report.stages
    assert dense.density == 1.0
    assert (pruned.nonzero, shared.nonzero) == (round(0.1 * 266_200),) * 2
    assert shared.file_bytes == out.stat().st_size
    assert dense.ratio < 1.3 < 8 < pruned.ratio < shared.ratio
    assert shared.ratio_course is not None
    assert shared.accuracy is not None
    assert (dense.bits, pruned.bits) == (32, 32)
    assert 3 < shared.bits <= 4  # three at the last layer, which has the fewest weights

    with dcz.open(out) as container:
        for name, most in (("fc1.weight", 16), ("fc2.weight", 16), ("fc3.weight", 8)):
            weight = container.tensor(name)
            assert len(np.unique(weight[weight != 0])) <= most
        last = torch.load(work / "3-share.pt", weights_only=True)
        assert all(np.array_equal(container.tensor(name), value.numpy()) for name, value in last.items())

    before = torch.load(tmp_path / "set" / "net_before_pruning.pt", weights_only=True)
    after = torch.load(tmp_path / "set" / "net_after_pruning.pt", weights_only=True)
    assert before["fc1.weight"].all()
    assert np.array_equal(after["fc1.weight"] != 0, last["fc1.weight"] != 0)
    assert not torch.equal(after["fc1.weight"], last["fc1.weight"])

    written = json.loads((tmp_path / "net.report.json").read_text())
    assert written == json.loads(json.dumps(report.to_json()))
    with (tmp_path / "net.report.csv").open() as file:
        assert [row["stage"] for row in csv.DictReader(file)] == ["1 train", "2 prune", "3 share"]

    # A second run finds every stage done and gives the same container.
    before = out.read_bytes()
    compress(mnist, out, RECIPE, work=work)
    assert out.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_a_whitened_start(mnist: Path, tmp_path: Path) -> None:
    """Without an epoch the network is what it started from; a checkpoint is left as it is."""

    def start(name: str, checkpoint: Path | None = None) -> np.ndarray:
        recipe = Recipe("lenet5_caffe", (Stage("prune", still, density=1.0),), validation=0, start=name)
        compress(mnist, tmp_path / "net.dcz", recipe, checkpoint=checkpoint)
        with dcz.open(tmp_path / "net.dcz") as container:
            return container.tensor("conv2.weight")

    still = Settings(epochs=0)
    plain, whitened = start("plain"), start("whitened")
    assert np.array_equal(whitened[:20, :, 2, 2], np.eye(20))
    assert np.array_equal(whitened[20:], plain[20:])
    state = ARCHITECTURES["lenet5_caffe"].factory().state_dict()
    torch.save(state, tmp_path / "net.pt")
    assert np.array_equal(start("whitened", tmp_path / "net.pt"), state["conv2.weight"].numpy())


def test_a_checkpoint_takes_the_place_of_training(mnist: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    torch.save(ARCHITECTURES["lenet_300_100"].factory().state_dict(), tmp_path / "net.pt")
    still = Settings(epochs=0)
    stages = (Stage("train", FAST), Stage("prune", still, rule="percent:90"), Stage("share", still, average_bits=3.0))
    report = compress(mnist, tmp_path / "net.dcz", Recipe("lenet_300_100", stages, 0), checkpoint=tmp_path / "net.pt")
    pruned, shared = report.stages
    assert (pruned.stage, shared.stage) == ("2 prune", "3 share")
    assert pruned.density == pytest.approx(0.1, abs=0.001)
    assert pruned.accuracy is None
    assert 2.0 < shared.bits <= 3.0  # the budget


@pytest.mark.parametrize(("regrow", "density"), [(False, 0.1), (True, 1.0)])
def test_dense_again(mnist: Path, trained: Path, tmp_path: Path, regrow: bool, density: float) -> None:
    """Training keeps what was pruned at zero, or lets it grow again; a checkpoint takes the place of neither."""
    again = Stage("train", Settings(epochs=1, batch=32, lr=0.01), regrow=regrow)
    pruned = Stage("prune", Settings(epochs=0), rule="percent:90")
    report = compress(mnist, tmp_path / "net.dcz", Recipe("lenet_300_100", (pruned, again), 0), checkpoint=trained)
    assert [stage.stage for stage in report.stages] == ["1 prune", "2 train"]
    assert report.stages[1].density == pytest.approx(density, abs=0.01)
    if regrow:
        recipe = Recipe("lenet_300_100", (RECIPE.stages[0], again), 0)
        report = compress(mnist, tmp_path / "net.dcz", recipe, checkpoint=trained)
        assert [stage.stage for stage in report.stages] == ["2 train"]


@pytest.fixture(scope="module")
def trained(mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense checkpoint that knows the made-up digits."""
    folder = tmp_path_factory.mktemp("trained")
    compress(mnist, folder / "net.dcz", Recipe("lenet_300_100", RECIPE.stages[:1], 100), work=folder)
    return folder / "1-train.pt"


def shared_only(mnist: Path, trained: Path, out: Path, **how: Any) -> CompressionReport:
    stages = (
        Stage("prune", Settings(epochs=0), rule="percent:80"),
        Stage("share", Settings(epochs=0), init="density", **how),
    )
    return compress(mnist, out, Recipe("lenet_300_100", stages, 100), checkpoint=trained)


def test_bits_by_a_budget_of_bytes(mnist: Path, trained: Path, tmp_path: Path) -> None:
    sizes = {}
    for budget in (50_000, 60_000):
        report = shared_only(mnist, trained, tmp_path / "net.dcz", max_bytes=budget)
        sizes[budget] = report.stages[-1].file_bytes
        assert 0.9 * budget < sizes[budget] <= budget
    with pytest.raises(ConversionError, match=r"max_bytes with one bit.*expected >= \d+.*found 5000"):
        shared_only(mnist, trained, tmp_path / "net.dcz", max_bytes=5000)


def test_bits_by_a_budget_of_accuracy(
    mnist: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def accuracy_of_distinct_weights(model: torch.nn.Module, *_: object) -> Score:
        return Score(1 - 1 / len(torch.unique(model.get_parameter("fc1.weight"))), 0.0)

    monkeypatch.setattr(stages, "evaluate", accuracy_of_distinct_weights)
    for most, fewest_values in ((0.3, 3), (0.1, 9), (0.02, 33)):  # with zero, at 1, 3 or 5 bits
        shared_only(mnist, trained, tmp_path / "net.dcz", max_drop=most)
        with dcz.open(tmp_path / "net.dcz") as container:
            values = len(np.unique(container.tensor("fc1.weight")))
        assert 1 / values <= most + 1e-3
        assert fewest_values <= values <= 2 * fewest_values


def test_half_precision(mnist: Path, trained: Path, tmp_path: Path) -> None:
    shared_only(mnist, trained, tmp_path / "net.dcz", bits="4", half=True)
    with dcz.open(tmp_path / "net.dcz") as container:
        values = {row["name"]: container.tensor(row["name"]) for row in container.info()["tensors"]}
    assert len(values) == 6
    for value in values.values():
        assert np.array_equal(value, value.astype(np.float16).astype(np.float32))


def test_a_teacher_of_its_own(mnist: Path, trained: Path, tmp_path: Path) -> None:
    learn = Settings(epochs=1, batch=32, lr=0.05, distill=1.0)
    recipe = Recipe("lenet_300_100", (Stage("prune", learn, density=0.2),), 100)
    report = compress(
        mnist, tmp_path / "net.dcz", recipe, teacher=trained
    )  # from scratch, by the teacher's answers alone
    assert report.test_accuracy > 0.5
    torch.save(ARCHITECTURES["resnet20_cifar"].factory().state_dict(), tmp_path / "other.pt")
    torch.save({"a": torch.zeros(3)}, tmp_path / "unknown.pt")
    for name, message in (("other.pt", "other pictures or has other classes"), ("unknown.pt", "no known architecture")):
        with pytest.raises(ConversionError, match=rf"{name}: the teacher .*{message}"):
            compress(mnist, tmp_path / "net.dcz", recipe, teacher=tmp_path / name)


def test_an_output_that_cannot_be_is_refused_before_the_work(
    mnist: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "train", lambda *_, **__: pytest.fail("trained"))
    before = trained.read_bytes()
    for out, error in ((tmp_path, IsADirectoryError), (tmp_path / "none" / "net.dcz", FileNotFoundError)):
        with pytest.raises(error):
            compress(mnist, out, RECIPE)
    for files in ({"checkpoint": trained}, {"teacher": trained}):
        with pytest.raises(InputError, match="take the place of what it is made of"):
            compress(mnist, trained, RECIPE, **files)
    assert trained.read_bytes() == before
    for files in ({"checkpoint": tmp_path / "nosuch.pt"}, {"teacher": tmp_path / "nosuch.pt"}):
        with pytest.raises(FileNotFoundError, match="nosuch"):
            compress(mnist, tmp_path / "net.dcz", RECIPE, **files)
    for folders in ({"work": trained}, {"artefacts": trained}):
        with pytest.raises(FileExistsError, match=trained.name):
            compress(mnist, tmp_path / "net.dcz", RECIPE, **folders)


def test_a_work_folder_of_another_recipe_is_refused(mnist: Path, trained: Path, tmp_path: Path) -> None:
    def run(density: float, checkpoint: Path | None = None, fine: Settings = FAST) -> float:
        recipe = Recipe("lenet_300_100", (Stage("prune", fine, density=density),), validation=100)
        return (
            compress(mnist, tmp_path / "net.dcz", recipe, checkpoint=checkpoint, work=tmp_path / "work")
            .stages[0]
            .density
        )

    assert run(0.2) == run(0.2) == pytest.approx(0.2, abs=1e-4)
    for density, checkpoint, fine in (
        (0.1, None, FAST),
        (0.2, trained, FAST),
        (0.2, None, replace(FAST, lr=0.04)),
    ):
        with pytest.raises(ConversionError, match=r"1-prune\.pt: this stage was made by another recipe"):
            run(density, checkpoint, fine)
    (tmp_path / "work" / "1-prune.pt").unlink()  # its checkpoint is left, and was of another density
    with pytest.raises(ConversionError, match="belongs to other settings"):
        run(0.1)
    (tmp_path / "work" / "1-prune.checkpoint").unlink()
    assert run(0.1) == pytest.approx(0.1, abs=1e-4)


@pytest.mark.parametrize(
    ("arch", "shape", "classes", "message"),
    [
        ("resnet20_cifar", (28, 28, 1), 10, r"expected 32 x 32 x 3, found 28 x 28 x 1"),
        ("lenet5_caffe", (32, 32, 3), 10, r"expected 28 x 28 x 1, found 32 x 32 x 3"),
        ("lenet5_caffe", (28, 28, 1), 11, r"more classes than lenet5_caffe \(expected 10 at most, found 11"),
    ],
)
def test_a_data_set_that_does_not_fit(
    arch: str, shape: tuple[int, ...], classes: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = Split(np.zeros((4, *shape), np.uint8), np.array([0, 1, 2, classes - 1]))
    monkeypatch.setattr(pipeline, "load_dataset", lambda *_: Dataset("other", split, split))
    with pytest.raises(InputError, match=message):
        compress(tmp_path, tmp_path / "net.dcz", arch)
    assert not (tmp_path / "net.dcz").exists()


NAMES = ["ants", "bats", "cats", "dogs", "eels", "fish", "gnus", "hens", "ibis", "jays", "kiwi"]


@pytest.fixture
def animals(tmp_path: Path) -> Callable[[int], Path]:
    """Folders of pictures, twelve a class, of so many classes."""

    def make(classes: int) -> Path:
        rng = np.random.default_rng(0)
        for name in NAMES[:classes]:
            for part, count in (("train", 12), ("test", 2)):
                (tmp_path / "data" / part / name).mkdir(parents=True)
                for number in range(count):
                    pixels = rng.integers(0, 256, (28, 28), dtype=np.uint8)
                    Image.fromarray(pixels).save(tmp_path / "data" / part / name / f"{number}.png")
        return tmp_path / "data"

    return make


def test_the_data_names_the_classes(
    animals: Callable[[int], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The network's own names are those of digits; a small training set still has pictures to hold out."""
    recipe = Recipe("lenet_300_100", (Stage("prune", Settings(epochs=0), rule="percent:50"),))
    with caplog.at_level(logging.INFO, logger="dcz"):
        compress(animals(10), tmp_path / "net.dcz", recipe)
    model = dcz.load(tmp_path / "net.dcz")
    assert model.labels == NAMES[:10]
    assert "12 of 120 training pictures are held out to choose by" in caplog.messages
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_classes_that_the_data_does_not_have_go_by_their_number(
    animals: Callable[[int], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = Recipe("lenet_300_100", (Stage("prune", Settings(epochs=0), rule="percent:50"),))
    compress(animals(3), tmp_path / "net.dcz", recipe)
    assert dcz.load(tmp_path / "net.dcz").labels == ["ants", "bats", "cats", "3", "4", "5", "6", "7", "8", "9"]
    (message,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert message.startswith("the data set has 3 classes, lenet_300_100 has 10")


def test_classes_that_are_too_many_are_named(animals: Callable[[int], Path], tmp_path: Path) -> None:
    message = (
        r"data: the data set has more classes than lenet_300_100 .*10 at most, found 11: ants, bats, cats and 8 more"
    )
    with pytest.raises(InputError, match=message):
        compress(animals(11), tmp_path / "net.dcz", "lenet_300_100")


def test_nothing_is_written_where_something_is_wrong(mnist: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.dcz"
    out.write_bytes(b"precious")
    torch.save(ARCHITECTURES["lenet5_caffe"].factory().state_dict(), tmp_path / "other.pt")
    wild = Recipe("lenet_300_100", (Stage("train", Settings(epochs=1, batch=32, lr=1e12)),), validation=100)
    unknown = Recipe("lenet_300_100", (Stage("share", bits="fc9=4"),))
    for recipe, checkpoint, message in (
        (RECIPE, "other.pt", r"other\.pt: .*lenet5_caffe"),
        (unknown, None, "no layer 'fc9'"),
        (wild, None, "the loss is not finite"),
        (Recipe("lenet", RECIPE.stages), None, "unknown architecture"),
        (replace(RECIPE, calibrate="max"), None, "the network has no convolution"),
    ):
        with pytest.raises(ConversionError, match=message):
            compress(mnist, out, recipe, checkpoint=tmp_path / checkpoint if checkpoint else None)
        assert out.read_bytes() == b"precious"
        assert not [path for path in tmp_path.iterdir() if path.name.endswith(".trial")]
