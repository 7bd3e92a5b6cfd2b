"""The training loop on a problem of seconds: it learns, resumes exactly, and stops on nonsense."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dcz.converters.compression.sharing import BitsRule
from dcz.converters.training.constraints import GradualPruning, Masks, SharedWeights, nonzero_masks
from dcz.converters.training.data.datasets import Split
from dcz.converters.training.targets import GlobalTarget
from dcz.converters.training.training import Settings, _loss, evaluate, train
from dcz.dcformat import ConversionError, Preprocess

GREY = Preprocess(mode="L", mean=(0.5,), std=(0.5,))
SETTINGS = Settings(epochs=4, batch=16, lr=0.1, weight_decay=1e-4)


def stripes(count: int, seed: int) -> Split:
    """Pictures of 8x8 with a bright row; the class is its number divided by two."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 120, (count, 8, 8, 1), dtype=np.uint8)
    rows = rng.integers(0, 8, count)
    images[np.arange(count), rows] += 100
    return Split(images, rows // 2)


TRAIN, TEST = stripes(320, 0), stripes(160, 1)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d((8, 1)),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(64, 4),
    )


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        replace(SETTINGS, optimizer="adam", lr=0.01, schedule="cosine", warmup=0.1, label_smoothing=0.1),
        replace(SETTINGS, schedule="step", bf16=True),
    ],
)
def test_learns(settings: Settings) -> None:
    model = network()
    before = evaluate(model, TEST, GREY)
    train(model, TRAIN, GREY, settings)
    after = evaluate(model, TEST, GREY)
    assert before.accuracy < 0.6
    assert after.accuracy > 0.9
    assert after.loss < before.loss


def test_same_seed_same_network() -> None:
    a, b, c = network(), network(), network()
    for model, seed in ((a, 0), (b, 0), (c, 1)):
        train(model, TRAIN, GREY, replace(SETTINGS, epochs=1), seed=seed)
    assert same(a, b)
    assert not same(a, c)


class StopError(Exception):
    """Stands for a kill."""


class StopAt(Masks):
    """A constraint that ends the training in the middle of an epoch."""

    def __init__(self, inner: object, stop: int) -> None:
        super().__init__({})
        self.inner, self.left = inner, stop

    def __getattribute__(self, name: str) -> object:
        if name in ("replaces", "before_step", "state_dict", "load_state_dict"):
            return getattr(object.__getattribute__(self, "inner"), name)
        return object.__getattribute__(self, name)

    def after_step(self, model: nn.Module, optimizer: torch.optim.Optimizer, progress: float) -> None:
        self.inner.after_step(model, optimizer, progress)  # type: ignore[attr-defined]
        self.left -= 1
        if self.left == 0:
            raise StopError


@pytest.mark.parametrize("kind", ["dense", "gradual", "shared"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_killed_run_goes_on_exactly(kind: str, optimizer: str, tmp_path: Path) -> None:
    settings = replace(SETTINGS, optimizer=optimizer, lr=0.02, epochs=3)

    def constraint(model: nn.Module) -> object:
        if kind == "gradual":
            return GradualPruning(GlobalTarget(0.3), ramp=0.8, every=3)
        return SharedWeights(model, BitsRule(3)) if kind == "shared" else Masks({})

    whole = network()
    train(whole, TRAIN, GREY, settings, constraint=constraint(whole))  # type: ignore[arg-type]
    path = tmp_path / "run" / "checkpoint"
    killed = network()
    with pytest.raises(StopError):
        train(killed, TRAIN, GREY, settings, constraint=StopAt(constraint(killed), 45), checkpoint=path)
    fresh = network()
    train(fresh, TRAIN, GREY, settings, constraint=constraint(fresh), checkpoint=path)  # type: ignore[arg-type]
    assert same(whole, fresh)
    if kind == "gradual":
        masks = nonzero_masks(fresh)
        assert sum(int(m.sum()) for m in masks.values()) == round(0.3 * sum(m.size for m in masks.values()))


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    train(network(), TRAIN, GREY, replace(SETTINGS, epochs=1), checkpoint=path)
    with pytest.raises(ConversionError, match="belongs to other settings"):
        train(network(), TRAIN, GREY, replace(SETTINGS, epochs=2), checkpoint=path)


def test_distillation_follows_the_teacher() -> None:
    teacher = network()
    train(teacher, TRAIN, GREY, SETTINGS)
    teacher.eval()
    lies = Split(TRAIN.images, (TRAIN.labels + 1) % 4)
    model = network()
    train(model, lies, GREY, replace(SETTINGS, distill=1.0, temperature=2.0), teacher=teacher)
    assert evaluate(model, TEST, GREY).accuracy > 0.9


def test_mixed_pictures_are_taught_by_the_teacher_alone() -> None:
    """Labels lie, and pictures of a pair are mixed: only the teacher's answers to the mixtures can teach this."""
    teacher = network()
    train(teacher, TRAIN, GREY, SETTINGS)
    teacher.eval()
    lies = Split(TRAIN.images, (TRAIN.labels + 1) % 4)
    model = network()
    train(model, lies, GREY, replace(SETTINGS, mixup=0.5, distill=1.0, temperature=2.0), teacher=teacher)
    assert evaluate(model, TEST, GREY).accuracy > 0.9


def test_mixup_mixes_labels_as_pictures() -> None:
    """Without a network between, the loss is that of either label, in the shares of the pictures."""
    torch.manual_seed(0)
    share = float(torch.distributions.Beta(0.4, 0.4).sample())
    images, labels = torch.rand(4, 3), torch.tensor([0, 1, 2, 2])
    mixed = share * images + (1 - share) * images.flip(0)
    wanted = share * F.cross_entropy(mixed, labels) + (1 - share) * F.cross_entropy(mixed, labels.flip(0))
    torch.manual_seed(0)
    loss = _loss(nn.Identity(), images, labels, None, replace(SETTINGS, mixup=0.4))
    assert loss == pytest.approx(float(wanted), rel=1e-6)


def test_frozen_trains_codebooks_alone() -> None:
    model = network()
    train(model, TRAIN, GREY, replace(SETTINGS, epochs=2))
    shared = SharedWeights(model, BitsRule(2))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    train(model, TRAIN, GREY, replace(SETTINGS, epochs=1, lr=1e-3, frozen=True), constraint=shared)
    moved = [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])]
    assert moved == ["0.weight", "6.weight"]


def test_a_loss_that_is_not_finite_stops() -> None:
    model = network()
    with torch.no_grad():
        model[6].weight.fill_(float("nan"))
    with pytest.raises(ConversionError, match=r"the loss is not finite \(train, epoch 1, step 1.*lower lr"):
        train(model, TRAIN, GREY, SETTINGS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [(replace(SETTINGS, distill=0.5), "needs a teacher"), (replace(SETTINGS, frozen=True), "nothing to train")],
)
def test_refuses(settings: Settings, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        train(network(), TRAIN, GREY, settings)


def test_schedules() -> None:
    onecycle, cosine = Settings(), Settings(schedule="cosine", warmup=0.1)
    assert [round(onecycle.rate(t), 2) for t in (0, 0.125, 0.25, 0.625, 1)] == [0.0, 0.5, 1.0, 0.5, 0.0]
    assert [round(cosine.rate(t), 2) for t in (0, 0.1, 0.55, 1)] == [0.01, 1.0, 0.5, 0.0]
    assert [Settings(schedule="step").rate(t) for t in (0, 0.49, 0.5, 0.8)] == [1.0, 1.0, 0.1, 0.01]
    with pytest.raises(ConversionError, match="unknown schedule"):
        Settings(schedule="linear")


def test_biases_of_batch_norm_learn_at_a_rate_of_their_own() -> None:
    slow, fast = network(), network()
    train(slow, TRAIN, GREY, replace(SETTINGS, epochs=1, momentum=0.0))
    train(fast, TRAIN, GREY, replace(SETTINGS, epochs=1, momentum=0.0, bias_lr=8.0))
    moved = [model.state_dict()["1.bias"].norm() for model in (slow, fast)]
    assert moved[1] > 2 * moved[0]
    still = network()
    train(still, TRAIN, GREY, replace(SETTINGS, epochs=1, bias_lr=0.0))
    assert not still.state_dict()["1.bias"].any()
    assert not torch.equal(still.state_dict()["6.bias"], network().state_dict()["6.bias"])


@pytest.mark.parametrize(("begin", "ramp"), [(0.0, 1.0), (0.4, 0.6), (0.7, 0.3), (0.2, 0.5)])
def test_gradual_pruning_reaches_its_goal(begin: float, ramp: float) -> None:
    model = network()
    train(
        model,
        TRAIN,
        GREY,
        replace(SETTINGS, epochs=1),
        constraint=GradualPruning(GlobalTarget(0.2), ramp, begin=begin, every=7),
    )
    masks = nonzero_masks(model).values()
    assert sum(int(mask.sum()) for mask in masks) == round(0.2 * sum(mask.size for mask in masks))
