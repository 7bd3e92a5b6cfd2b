from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dcz.converters.architectures import ARCHITECTURES
from dcz.converters.architectures.lookup import signature
from dcz.converters.frontends.state_dicts.matching import WRAPPERS, find, fit, nearest
from dcz.dcformat import ConversionError, Shape

NET = "resnet20_cifar"
Shapes = dict[str, Shape]


@pytest.fixture
def shapes() -> Shapes:
    return dict(signature(ARCHITECTURES[NET]))


def prefixed(shapes: Shapes, prefix: str) -> Shapes:
    return {prefix + name: shape for name, shape in shapes.items()}


SPELLINGS: dict[str, Callable[[Shapes], Shapes]] = {
    "plain": lambda s: s,
    "DataParallel": lambda s: prefixed(s, "module."),
    "compiled in DataParallel": lambda s: prefixed(s, "module._orig_mod."),
    "FSDP": lambda s: prefixed(s, "_fsdp_wrapped_module."),
    "a backbone": lambda s: prefixed(s, "backbone."),
    "any prefix": lambda s: prefixed(s, "nobody.knows.this."),
    "a part compiled": lambda s: {n.replace("layer1.", "layer1._orig_mod."): shape for n, shape in s.items()},
    "a part in DataParallel": lambda s: {n.replace("layer2.", "layer2.module."): shape for n, shape in s.items()},
    "AveragedModel": lambda s: {"n_averaged": (), **prefixed(s, "module.")},
    "thop": lambda s: {**s, "total_ops": (1,), "total_params": (1,), "conv1.total_ops": (1,)},
    "Lightning": lambda s: {**prefixed(s, "model."), "criterion.weight": (10,), "loss_fn.pos_weight": (10,)},
    "masks": lambda s: {**s, "conv1.mask": s["conv1.weight"], "linear.weight_mask": s["linear.weight"]},
    "counters": lambda s: {n: shape for n, shape in s.items() if not n.endswith("num_batches_tracked")},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_network_in_many_spellings(shapes: Shapes, spelling: str) -> None:
    spelt = SPELLINGS[spelling](shapes)
    for match in (find(spelt), fit(spelt, NET)):
        assert match is not None
        assert match.architecture.name == NET
        assert all(spelt[name] == shapes[own] for own, name in match.names.items())
        assert {*match.names.values(), *match.aside} == set(spelt)
        assert not {*match.names.values()} & {*match.aside}
        assert {*match.names} >= {name for name in shapes if not name.endswith("num_batches_tracked")}
    if spelling not in ("AveragedModel", "thop", "Lightning", "masks"):
        assert match.aside == []


@pytest.mark.parametrize(
    "addition",
    [
        {"head.weight": (5, 10)},
        {"layer1.3.conv1.weight": (16, 16, 3, 3)},
        {"mask": (2, 2)},
        {"conv1.mask": (1,)},
        {"lossless": (1,)},
    ],
    ids=lambda addition: next(iter(addition)),
)
def test_what_may_be_another_network_is_not_recognised(shapes: Shapes, addition: Shapes) -> None:
    assert find(shapes | addition) is None
    with pytest.raises(ConversionError, match=f"'{next(iter(addition))}' is unexpected"):
        fit(shapes | addition, NET)


@given(st.data())
def test_wrappers_anywhere_under_any_prefix(data: st.DataObject) -> None:
    wanted = signature(ARCHITECTURES["lenet_300_100"])
    words = st.lists(st.sampled_from(sorted(WRAPPERS)), max_size=2).map(lambda chosen: "".join(f"{w}." for w in chosen))
    wrapped = {layer: data.draw(words) for layer in {name.partition(".")[0] for name in wanted}}
    prefix = data.draw(st.lists(st.sampled_from(["net", "fc1", "x y", "module"]), max_size=3))
    start = "".join(f"{word}." for word in prefix)
    spelt = {name: f"{start}{wrapped[name.partition('.')[0]]}{name}" for name in wanted}
    match = find({spelt[name]: shape for name, shape in wanted.items()})
    assert match is not None
    assert match.architecture.name == "lenet_300_100"
    assert match.names == spelt
    assert match.aside == []


def test_a_deeper_network_is_not_taken_for_a_shallower_one(shapes: Shapes) -> None:
    deeper = shapes | {n.replace("layer1.2", "layer1.3"): s for n, s in shapes.items() if n.startswith("layer1.2")}
    assert find(deeper) is None


def test_a_backbone_beside_a_head_is_taken_when_named(shapes: Shapes) -> None:
    spelt = {**prefixed(shapes, "backbone."), "head.weight": (5, 10)}
    assert find(spelt) is None
    assert nearest(spelt) == f"the tensors of {NET} are there beside 'head.weight', and --arch {NET} takes them alone"
    match = fit(spelt, NET)
    assert match.aside == ["head.weight"]
    assert set(match.names) == set(shapes)


def test_a_network_that_is_there_twice(shapes: Shapes) -> None:
    spelt = {**prefixed(shapes, "module.student."), **prefixed(shapes, "module.teacher.")}
    with pytest.raises(ConversionError, match=r"2 times, under 'module\.student', 'module\.teacher'; pick one"):
        fit(spelt, NET)
    assert find(spelt) is None


def test_names_that_differ_by_wrappers_alone(shapes: Shapes) -> None:
    spelt = {**shapes, **prefixed(shapes, "module.")}
    assert find(spelt) is None
    with pytest.raises(ConversionError, match="holds resnet20_cifar 2 times, under '', 'module'"):
        fit(spelt, NET)


class Inner(nn.Module):
    """A network that calls a part of itself as wrappers do."""

    def __init__(self) -> None:
        super().__init__()
        self.module = nn.Linear(3, 4)
        self.loss = nn.Linear(4, 4)


def test_words_of_wrappers_in_the_network_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcz.converters.frontends.state_dicts.matching.Inner", Inner, raising=False)
    wanted = {name: tuple(value.shape) for name, value in Inner().state_dict().items()}
    for prefix in ("", "module.", "net."):
        match = fit(prefixed(wanted, prefix), "dcz.converters.frontends.state_dicts.matching:Inner", (3,))
        assert match.names == {name: prefix + name for name in wanted}


def test_a_misfit_shows_what_is_unexpected_beside_what_is_missing(shapes: Shapes) -> None:
    spelt = {n.replace("conv1", "first_conv"): s for n, s in shapes.items()} | {"linear.bias": (100,)}
    with pytest.raises(ConversionError) as caught:
        fit(spelt, NET)
    assert "'linear.bias' has shape [100] where [10] is expected; 'conv1.weight' is missing; " in str(caught.value)
    assert "'first_conv.weight' is unexpected; and " in str(caught.value)


def test_the_nearest_architecture_is_told(shapes: Shapes) -> None:
    hundred = shapes | {"linear.weight": (100, 64), "linear.bias": (100,)}
    assert find(hundred) is None
    says = f"the nearest is {NET}, but 'linear.weight' has shape [100, 64] where [10, 64] is expected"
    assert (nearest(hundred) or "").startswith(says)
    with pytest.raises(ConversionError, match="the nearest known architecture is resnet20_cifar"):
        fit(hundred, "resnet32_cifar")
    with pytest.raises(ConversionError, match="the keys and shapes are those of resnet20_cifar"):
        fit(shapes, "resnet32_cifar")
    assert nearest({"x": (2, 3)}) is None
    assert nearest({}) is None


def test_parametrizations_that_nobody_knows_have_a_way_out(shapes: Shapes) -> None:
    spelt = {n.replace("conv1.weight", "conv1.parametrizations.weight.original"): s for n, s in shapes.items()}
    with pytest.raises(ConversionError, match=r"; torch\.nn\.utils\.parametrize\.remove_parametrizations"):
        fit(spelt, NET)
