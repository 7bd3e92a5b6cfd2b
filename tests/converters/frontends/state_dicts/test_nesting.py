from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dcz.converters.frontends.state_dicts.nesting import find_state_dict
from dcz.dcformat import ConversionError


def state(n: float = 1.0) -> dict[str, Tensor]:
    return {"fc.weight": torch.full((3, 4), n), "fc.bias": torch.full((3,), n)}


def optimizer() -> dict[str, Any]:
    net = nn.Linear(200, 300)
    adam = torch.optim.Adam(net.parameters())
    net(torch.zeros(1, 200)).sum().backward()
    adam.step()
    return adam.state_dict()


@pytest.mark.parametrize(
    "loaded",
    [
        state(),
        {"epoch": 3, "state_dict_ema": state()},
        {"params": state(), "optimizer": optimizer()},
        {"G": state(), "best": torch.tensor(0.7)},
        {"any_name": {"any_other": {"deep": state()}}},
        {"state_dict": state(), "criterion": {"weight": torch.ones(10)}},
        {"model": state(), "anchors": torch.ones(2, 2)},
        {"model": {**state(), "sub._extra_state": {"scale": torch.ones(1, 2)}}},
        {**state(), "optimizer": optimizer()},
        {7: state()},
    ],
)
def test_one_candidate_is_taken(loaded: Any) -> None:
    found = find_state_dict(loaded)
    assert found.tensors.keys() == state().keys()
    assert not found.quantized


def test_what_lies_around_is_told() -> None:
    loaded = {"epoch": 3, "ema": {**state(), "decay": 0.9, "names": ["a"]}, "opt": optimizer()}
    found = find_state_dict(loaded)
    assert found.beside == ["epoch", "opt", "decay", "names"]
    assert found.inside == {}


@pytest.mark.parametrize(
    ("loaded", "names"),
    [
        ({"state_dict": state(), "state_dict_ema": state(2)}, "'state_dict', 'state_dict_ema'"),
        ({"gan": {"G": state(), "D": state(2)}}, "'gan.G', 'gan.D'"),
        ({"queue": torch.ones(9, 9), "state_dict": state()}, r"'\.', 'state_dict'"),
        ({"conv": torch.ones(1, 2), "rest": state()}, r"'\.', 'rest'"),
    ],
)
def test_of_several_the_error_names_each_and_a_key_picks(loaded: dict, names: str) -> None:
    with pytest.raises(ConversionError, match=f"{names}; pick one with --key"):
        find_state_dict(loaded)
    for name in names.replace("\\", "").replace("'", "").split(", "):
        assert find_state_dict(loaded, name).tensors


def test_a_key_is_a_path_or_the_beginning_of_names() -> None:
    loaded = {"gan": {"G": state(1), "D": state(2)}, "ema.decay": 0.9}
    found = find_state_dict(loaded, "gan.D")
    assert found.tensors["fc.bias"].tolist() == [2, 2, 2]
    assert found.beside == ["ema.decay", "G"]
    flat = {f"{net}.{name}": value for net, n in (("G", 1), ("D", 2)) for name, value in state(n).items()}
    found = find_state_dict({"epoch": 1, "state_dict": flat}, "D")
    assert list(found.tensors) == ["D.fc.weight", "D.fc.bias"]
    assert found.beside == ["epoch", "G.fc.weight", "G.fc.bias"]
    assert find_state_dict({"outer": {"inner": state()}}, "outer").tensors


@pytest.mark.parametrize("loaded", [state(), {"a": state(), "epoch": 1}])
@pytest.mark.parametrize("key", ["b", "", "epoch"])
def test_a_key_that_leads_nowhere(loaded: dict, key: str) -> None:
    with pytest.raises(ConversionError, match=rf"no tensors under the key '{key}' \(expected '(a|\.)'\)"):
        find_state_dict(loaded, key)


def test_tensors_inside_of_others_are_counted() -> None:
    half = torch.ones(2, 3)
    inside = {"packed": (torch.ones(5), [half, {"x": half}]), "none": ((), None), "empty": [torch.ones(0)]}
    found = find_state_dict({**state(), **inside, "shadow": [torch.ones(2)], "history": np.ones(9)})
    assert found.inside == {"packed": 11, "shadow": 2}
    assert found.beside == ["none", "empty", "history"]
    assert not found.quantized


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_packed_parameters_of_dynamic_quantisation() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 5))
    found = find_state_dict(torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, torch.qint8).state_dict())
    assert found.inside == {"2._packed_params._packed_params": 8 * 5 + 5}
    assert found.quantized


def test_a_dictionary_that_holds_itself_ends() -> None:
    loaded: dict[str, Any] = {"list": [], "state_dict": state()}
    loaded["self"] = loaded
    loaded["list"].append(loaded)
    with pytest.raises(ConversionError, match="several"):
        find_state_dict(loaded)
    assert find_state_dict(loaded, "state_dict").beside == ["list", "self"]


@pytest.mark.parametrize(
    ("loaded", "says"),
    [
        (3, "not a state dict .*found int"),
        ([torch.ones(2)], "not a state dict .*found list"),
        ({}, "holds no tensors"),
        ({"a": {"b": 1}, "c": None}, "holds no tensors"),
        ({"params": [torch.ones(2, 2)]}, "have no names: they lie in lists"),
        ({"optimizer": optimizer()}, "are an optimizer's"),
        ({7: torch.zeros(2)}, "name must be text.*found 7"),
    ],
)
def test_no_state_dict(loaded: Any, says: str) -> None:
    with pytest.raises(ConversionError, match=says):
        find_state_dict(loaded)
