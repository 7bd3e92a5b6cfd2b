"""Recipes: what they say, and that a mistake in one is found before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcz.converters.architectures import ARCHITECTURES
from dcz.converters.compression.pruning import PruneRule
from dcz.converters.training.constraints import prunable
from dcz.converters.training.recipe import RECIPES, Recipe, load_recipe
from dcz.converters.training.targets import GlobalTarget, LayerTarget, RuleTarget
from dcz.dcformat import ConversionError

GOOD = """
arch = "lenet_300_100"
seed = 7
[defaults]
batch = 64
[[stage]]
do = "train"
epochs = 2
lr = 1
[[stage]]
do = "prune"
layers = {fc1 = 0.05, fc = 0.2}
batch = 32
[[stage]]
do = "share"
bits = "fc=4"
epochs = 0
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_reads(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, GOOD))
    assert (recipe.arch, recipe.seed, recipe.validation) == ("lenet_300_100", 7, None)
    assert [stage.do for stage in recipe.stages] == ["train", "prune", "share"]
    assert [stage.settings.batch for stage in recipe.stages] == [64, 32, 64]
    assert recipe.stages[1].target() == LayerTarget({"fc1": 0.05, "fc": 0.2})


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ('rule = "std:0.75"', RuleTarget(PruneRule("std", 0.75))),
        ('density = 0.1\nscore = "lamp"\nleast = 0.02', GlobalTarget(0.1, 0.02, "lamp")),
    ],
)
def test_targets(tmp_path: Path, line: str, target: object) -> None:
    recipe = load_recipe(write(tmp_path, f'arch = "vgg16_half"\n[[stage]]\ndo = "prune"\n{line}\n'))
    assert recipe.stages[0].target() == target


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_recipes_that_dcz_brings_along(path: Path) -> None:
    recipe = load_recipe(path.stem)
    model = ARCHITECTURES[recipe.arch].factory()
    recipe.check_layers(list(prunable(model)))


def test_there_are_recipes() -> None:
    assert list(RECIPES.glob("*.toml"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 7", 'start = "warm"', r"unknown start \(expected plain, whitened, found 'warm'"),
        ("seed = 7", "sede = 7", r"unknown key 'sede' \(recipe, expected .*seed"),
        ("batch = 64", "bacth = 64", r"unknown key 'bacth' \(defaults"),
        ("epochs = 2", "epoch = 2", r"unknown key 'epoch' \(stage 1"),
        ("epochs = 2", 'epochs = "two"', r"epochs has the wrong type \(stage 1, expected int, found 'two'"),
        ("epochs = 2", "epochs = true", "epochs has the wrong type"),
        ('do = "train"', 'do = "rest"', r"unknown stage \(stage 1, expected train, prune or share"),
        ('do = "train"', 'name = "train"', "must say what to do"),
        ("layers = {fc1 = 0.05, fc = 0.2}", "", "takes one of rule, density and layers"),
        ("layers = {fc1 = 0.05, fc = 0.2}", 'rule = "std:1"\ndensity = 0.1', "takes one of"),
        ("layers = {fc1 = 0.05, fc = 0.2}", 'rule = "std"', "unknown pruning rule"),
        ("layers = {fc1 = 0.05, fc = 0.2}", "density = 1.5", "density out of range"),
        ("layers = {fc1 = 0.05, fc = 0.2}", "density = 0.0", r"density out of range .*0 < density <= 1, found 0\.0\)"),
        ("layers = {fc1 = 0.05, fc = 0.2}", "layers = {fc1 = 0}", r"density out of range .*found 0\)"),
        ("layers = {fc1 = 0.05, fc = 0.2}", 'rule = "std:1"\ndensity = 0.0', "takes one of"),
        ('bits = "fc=4"', "average_bits = 0.0", r"average_bits out of range .*more than 0, found 0\.0"),
        ('bits = "fc=4"', "max_bytes = 0", r"max_bytes out of range .*more than 0, found 0"),
        ('bits = "fc=4"', "max_drop = -0.1", r"max_drop out of range .*found -0\.1"),
        ('bits = "fc=4"', 'bits = "fc=4"\nmax_drop = 0.0', "takes one of bits, average_bits"),
        ("seed = 7", "validation = -1", r"validation out of range \(expected 0 or more pictures, found -1"),
        ("lr = 1", "density = 0.0", r"a train stage takes no density \(stage 1"),
        ("layers = {fc1 = 0.05, fc = 0.2}", 'density = 0.5\nscore = "size"', r"unknown score \(stage 2"),
        ('bits = "fc=4"', 'bits = "fc=9"', r"cannot read the bits \(stage 3"),
        ('bits = "fc=4"', 'bits = "4"\ninit = "lineal"', "unknown initialisation"),
        ('bits = "fc=4"', "", "takes one of bits, average_bits, max_bytes and max_drop"),
        ("lr = 1", 'schedule = "wild"', r"unknown schedule \(stage 1"),
        ("lr = 1", "lr = nan", r"lr out of range \(stage 1, expected 0 to inf, found nan"),
        ("lr = 1", "distill = 1.5", r"distill out of range"),
        ("batch = 32", "begin = 0.5", r"begin, ramp or least out of range"),
        ("batch = 32", "ramp = 2", r"ramp or least out of range \(stage 2"),
        ("lr = 1", 'augment = "cifr"', r"unknown augment \(stage 1, expected none, mnist, cifar"),
        ("lr = 1", "frozen = true", r"frozen = true is for share stages.* \(stage 1"),
        ("lr = 1", "density = 0.1", r"a train stage takes no density \(stage 1"),
        ("batch = 32", "grid = 4", r"a prune stage takes no grid \(stage 2, expected rule, density"),
        (
            'bits = "fc=4"',
            'bits = "fc=4"\nreassign = true\ngrid = 4',
            r"rounds nothing \(stage 3, expected no frozen, grid",
        ),
        ('bits = "fc=4"', 'bits = "fc=4"\nramp = 0.5', r"a share stage takes no ramp \(stage 3"),
        ("arch =", "arch ==", "not a TOML file"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ConversionError, match=message) as caught:
        load_recipe(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("old", "new"), [("fc1 = 0.05", "fc9 = 0.05"), ('"fc=4"', '"fc=4,fc9=2"')])
def test_unknown_layers(tmp_path: Path, old: str, new: str) -> None:
    path = write(tmp_path, GOOD.replace(old, new))
    recipe, weights = load_recipe(path), list(prunable(ARCHITECTURES["lenet_300_100"].factory()))
    number = next(i for i, stage in enumerate(recipe.stages, 1) if "fc9" in f"{stage.layers}{stage.bits}")
    message = rf"{path}: .* no layer 'fc9' \(stage {number}, .*expected conv, fc, fc1, fc2, fc3"
    with pytest.raises(ConversionError, match=message):
        recipe.check_layers(weights)


def test_no_such_recipe() -> None:
    with pytest.raises(ConversionError, match=r"no recipe 'nosuch' \(expected a TOML file or one of alexnet, .*vgg19"):
        load_recipe("nosuch")


def test_a_folder_named_after_the_network_is_not_taken_for_its_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lenet5_caffe").mkdir()
    assert load_recipe("lenet5_caffe").arch == "lenet5_caffe"


def test_a_budget_of_accuracy_needs_held_out_pictures(tmp_path: Path) -> None:
    text = GOOD.replace('bits = "fc=4"', "max_drop = 0.01")
    assert load_recipe(write(tmp_path, text)).stages[2].max_drop == 0.01
    with pytest.raises(ConversionError, match=r"recipe\.toml: max_drop is measured on held-out pictures"):
        load_recipe(write(tmp_path, text.replace("seed = 7", "validation = 0")))


def test_nothing_may_be_lost(tmp_path: Path) -> None:
    stage = load_recipe(write(tmp_path, GOOD.replace('bits = "fc=4"', "max_drop = 0.0"))).stages[2]
    assert stage.max_drop == 0
    with pytest.raises(ConversionError, match="max_drop is measured on held-out pictures"):
        load_recipe(
            write(tmp_path, GOOD.replace('bits = "fc=4"', "max_drop = 0.0").replace("seed = 7", "validation = 0"))
        )


@pytest.mark.parametrize(
    ("validation", "pictures", "held_out"),
    [
        (None, 60_000, 5000),
        (None, 50_000, 5000),
        (None, 49_990, 4999),
        (None, 200, 20),
        (None, 7, 1),
        (0, 200, 0),
        (100, 200, 100),
        (101, 200, 20),
        (10_000, 1_281_167, 10_000),
        (10_000, 300, 30),
    ],
)
def test_a_small_training_set_gives_a_tenth(validation: int | None, pictures: int, held_out: int) -> None:
    assert Recipe("alexnet", (), validation=validation).held_out(pictures) == held_out
