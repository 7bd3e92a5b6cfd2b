from __future__ import annotations

import contextlib
import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import prune

from dcz.converters.architectures import ARCHITECTURES
from dcz.converters.architectures.lookup import signature
from dcz.converters.frontends.state_dicts import state_dict
from dcz.converters.frontends.state_dicts.matching import find
from dcz.converters.frontends.state_dicts.state_dict import from_state_dict
from dcz.dcformat import ConversionError

LENET = "lenet_300_100"


class Shifted(nn.Module):
    """A network that no registry knows, with a buffer that no state dict holds."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3)
        self.register_buffer("kernel", torch.full((3, 3, 1, 1), 0.5), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(self.conv(x), self.kernel)


def not_a_network() -> int:
    return 3


def breaks() -> nn.Module:
    raise RuntimeError("out of luck")


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return ARCHITECTURES[LENET].factory().state_dict()


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def write(loaded: Any, name: str = "net.pt", **options: Any) -> Path:
        path = tmp_path / name
        torch.save(loaded, path, **options)
        return path

    return write


def prefixed(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: value for name, value in state.items()}


@pytest.mark.parametrize("prefix", ["", "module.", "module._orig_mod.", "net.model."])
def test_recognised_under_any_prefix_and_named_as_it_came(save: Callable[..., Path], state: dict, prefix: str) -> None:
    source = from_state_dict(save(prefixed(state, prefix)))
    assert source.graph is not None
    assert set(source.graph.tensor_names()) == set(source.tensors) == {prefix + name for name in state}
    assert any(LENET in message for message in source.messages)
    assert source.labels == ARCHITECTURES[LENET].labels
    assert source.preprocess == ARCHITECTURES[LENET].preprocess


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "net"])
def test_nested_state_dicts(save: Callable[..., Path], state: dict, key: str) -> None:
    source = from_state_dict(save({key: {"model": state}, "epoch": 3, "optimizer": {"lr": 0.1}}))
    assert list(source.tensors) == list(state)
    assert any("'epoch', 'optimizer'" in message for message in source.messages)


def test_what_is_no_tensor_is_left_out_and_told(save: Callable[..., Path], state: dict) -> None:
    extra = {"a": 1, "b": "text", "c": None, "d": [1]}
    source = from_state_dict(save({**state, **extra}))
    assert list(source.tensors) == list(state)
    assert any("'a', 'b', 'c' and 1 more" in message for message in source.messages)


@pytest.mark.parametrize("legacy", [False, True])
def test_numpy_numbers_do_no_harm(save: Callable[..., Path], state: dict, legacy: bool) -> None:
    loaded = {"state_dict": state, "best": np.float64(91.7), "epoch": np.int64(3)}
    source = from_state_dict(save(loaded, _use_new_zipfile_serialization=not legacy))
    assert source.graph is not None
    assert any("'best', 'epoch'" in message for message in source.messages)


def test_legacy_format(save: Callable[..., Path], state: dict) -> None:
    source = from_state_dict(save(OrderedDict(state), "net.th", _use_new_zipfile_serialization=False))
    assert source.graph is not None


@pytest.mark.parametrize("name", ["net.safetensors", "NET.SAFETENSORS"])
def test_safetensors(tmp_path: Path, state: dict, name: str) -> None:
    save_file(state, tmp_path / name)
    source = from_state_dict(tmp_path / name)
    assert source.graph is not None
    assert all(np.array_equal(source.tensors[name].array, value.numpy()) for name, value in state.items())


def test_batch_counters_may_be_absent(save: Callable[..., Path]) -> None:
    state = ARCHITECTURES["resnet20_cifar"].factory().state_dict()
    old = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    assert len(old) < len(state)
    assert from_state_dict(save(old)).graph == from_state_dict(save(state)).graph is not None


def test_bookkeeping_is_set_aside_by_name(save: Callable[..., Path], state: dict) -> None:
    source = from_state_dict(
        save({"n_averaged": torch.tensor(3), **prefixed(state, "module."), "criterion.w": torch.ones(4)})
    )
    assert source.graph is not None
    assert list(source.tensors) == list(prefixed(state, "module."))
    assert "set aside: 'n_averaged', 'criterion.w'" in source.messages
    assert source.lost == {}


def test_a_key_picks_the_state_dict(save: Callable[..., Path], state: dict) -> None:
    ema = {name: value + 1 for name, value in state.items()}
    path = save({"state_dict": state, "state_dict_ema": ema})
    with pytest.raises(ConversionError, match="'state_dict', 'state_dict_ema'; pick one with --key"):
        from_state_dict(path)
    source = from_state_dict(path, key="state_dict_ema")
    assert source.graph is not None
    assert all(np.array_equal(source.tensors[name].array, ema[name].numpy()) for name in state)


def test_tensors_inside_of_others_are_lost_unless_the_network_is_whole(save: Callable[..., Path], state: dict) -> None:
    extra = {"packed": (torch.ones(5), {"x": [torch.ones(2)]})}
    source = from_state_dict(save({"w": torch.ones(3), **extra}))
    assert source.lost == {"packed": 7}
    assert source.way_out is None
    source = from_state_dict(save({**state, **extra}))
    assert source.graph is not None
    assert source.lost == {}
    assert "set aside: 'packed'" in source.messages


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_weights_that_torch_quantized_have_a_way_out(save: Callable[..., Path]) -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 5))
    source = from_state_dict(save(torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, torch.qint8).state_dict()))
    assert source.lost == {"2._packed_params._packed_params": 45}
    assert source.way_out is not None
    assert "--bits 8" in source.way_out


def test_pruning_that_nobody_made_permanent_is_applied(save: Callable[..., Path]) -> None:
    net = ARCHITECTURES[LENET].factory().eval()
    prune.l1_unstructured(net.fc1, "weight", amount=0.9)
    source = from_state_dict(save(net.state_dict()))
    assert source.graph is not None
    assert np.array_equal(source.tensors["fc1.weight"].array, net.fc1.weight.detach().numpy())
    assert (source.tensors["fc1.weight"].array == 0).mean() > 0.89
    assert "masks of torch.nn.utils.prune applied: 'fc1.weight'" in source.messages
    assert source.reference is not None
    x = torch.randn(2, 1, 28, 28)
    assert torch.equal(source.reference()(x), net(x))


def test_masks_of_layers_are_applied(save: Callable[..., Path], state: dict) -> None:
    mask = torch.rand(state["fc2.weight"].shape).round()
    source = from_state_dict(save({**state, "fc2.mask": mask}))
    assert source.graph is not None
    assert list(source.tensors) == list(state)
    assert np.array_equal(source.tensors["fc2.weight"].array, (state["fc2.weight"] * mask).numpy())
    assert from_state_dict(save({"fc2.weight": mask, "fc2.mask": mask})).tensors.keys() == {"fc2.weight", "fc2.mask"}


class Normed(nn.Module):
    """A network that keeps its weight in parts itself."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.utils.parametrizations.weight_norm(nn.Linear(3, 4))
        self.other = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.other(x)


def test_weights_in_parts_fit_a_network_that_wants_them_so(
    save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_dict, "Normed", Normed, raising=False)
    source = from_state_dict(save(Normed().state_dict()), f"{state_dict.__name__}:Normed", (4,))
    assert source.tensors.keys() == Normed().state_dict().keys()


def test_names_of_one_tensor_stay_one(save: Callable[..., Path]) -> None:
    weight = torch.randn(4, 4)
    tensors = from_state_dict(save({"a": weight, "b": weight, "c": weight.t(), "d": weight.clone()})).tensors
    assert tensors["a"] is tensors["b"]
    assert len({id(tensor) for tensor in tensors.values()}) == 3


def test_every_known_architecture_is_recognised() -> None:
    for architecture in ARCHITECTURES.values():
        match = find(signature(architecture))
        assert match is not None
        assert match.architecture is architecture


def test_without_an_architecture_weights_only(save: Callable[..., Path]) -> None:
    tensors = {
        "": torch.tensor(1.5),
        "a/b c.\u00e9\n": torch.arange(6).reshape(2, 3).t(),
        "empty": torch.zeros(0, 3),
        "flag": torch.tensor([True, False]),
        "bf16": torch.randn(3, 5).bfloat16(),
        "half": torch.randn(4).half(),
        "double": torch.tensor(float("nan"), dtype=torch.float64),
        "unsigned": torch.tensor([1, 2**16 - 1], dtype=torch.uint16),
        "long": torch.tensor(-(2**62)),
    }
    source = from_state_dict(save(tensors))
    assert source.graph is None
    assert list(source.tensors) == list(tensors)
    assert any("weights only" in message and "--arch" in message for message in source.messages)


def test_tensors_that_share_storage(save: Callable[..., Path]) -> None:
    base = torch.arange(12.0)
    source = from_state_dict(save({"all": base, "odd": base[1::2], "same": base}))
    assert source.tensors["odd"].array.tolist() == [1, 3, 5, 7, 9, 11]
    assert source.tensors["same"].array.tolist() == base.tolist()


def test_a_factory_of_ones_own(save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_dict, "not_in_registry", Shifted, raising=False)
    module = Shifted()
    path = save(prefixed(module.state_dict(), "module."))
    source = from_state_dict(path, "dcz.converters.frontends.state_dicts.state_dict:not_in_registry", (2, 5, 5))
    assert source.graph is not None
    assert source.graph.tensor_names() == ["module.conv.weight", "module.conv.bias", "kernel"]
    assert source.tensors["kernel"].array.shape == (3, 3, 1, 1)
    assert source.reference is not None
    x = torch.randn(2, 2, 5, 5)
    torch.testing.assert_close(source.reference()(x), module(x))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s | {"fc3.weight": torch.zeros(2, 2)}, r"has shape \[2, 2\] where \[\d+, \d+\] is expected"),
        (lambda s: dict(list(s.items())[1:]), "is missing"),
        (lambda s: s | {"gate": torch.zeros(1)}, "'gate' is unexpected"),
        (lambda s: {f"{n}x": v for n, v in s.items()}, "and 9 more"),
    ],
)
def test_wrong_architecture_names_the_first_keys(
    save: Callable[..., Path], state: dict, change: Callable, says: str
) -> None:
    renamed = {name: value for name, value in state.items()}
    last = [name for name in renamed if name.endswith("weight")][-1]
    changed = change(renamed)
    if "fc3.weight" in changed and "fc3.weight" not in state:
        changed[last] = changed.pop("fc3.weight")
    with pytest.raises(ConversionError, match=says):
        from_state_dict(save(changed), LENET)


def test_wrong_architecture_hints_at_the_right_one(save: Callable[..., Path], state: dict) -> None:
    with pytest.raises(ConversionError, match=f"resnet20_cifar.*those of {LENET}"):
        from_state_dict(save(state), "resnet20_cifar")


@pytest.mark.parametrize(
    ("arch", "shape", "says"),
    [
        ("resnet2000", None, "unknown architecture 'resnet2000'.*alexnet"),
        ("no_such_package:net", (1, 2, 3), "cannot be imported"),
        ("dcz.converters.frontends.state_dicts.state_dict:no_such_factory", (1, 2, 3), "cannot be imported"),
        (":x", (1, 2, 3), "cannot be imported"),
        ("dcz.converters.frontends.state_dicts.state_dict:a", None, "needs the input shape"),
        ("dcz.converters.frontends.state_dicts.state_dict:not_a_network", (1, 2, 3), "makes no network.*found int"),
        ("dcz.converters.frontends.state_dicts.state_dict:breaks", (1, 2, 3), "failed: RuntimeError: out of luck"),
    ],
)
def test_bad_arch(
    save: Callable[..., Path], state: dict, monkeypatch: pytest.MonkeyPatch, arch: str, shape: tuple, says: str
) -> None:
    monkeypatch.setattr(state_dict, "not_a_network", not_a_network, raising=False)
    monkeypatch.setattr(state_dict, "breaks", breaks, raising=False)
    with pytest.raises(ConversionError, match=says):
        from_state_dict(save(state), arch, shape)


def test_a_factory_in_the_current_folder(
    save: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the console script finds it: its own folder comes first in the path, not the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])
    before = sys.path[:]
    Path("nets_of_mine.py").write_text("from torch import nn\ndef net(): return nn.Sequential(nn.Linear(2, 3))\n")
    source = from_state_dict(save({"0.weight": torch.ones(3, 2), "0.bias": torch.ones(3)}), "nets_of_mine:net", (2,))
    assert source.graph is not None
    assert sys.path == before


@pytest.mark.parametrize(("text", "says"), [("def net(:", "SyntaxError"), ("net = later", "NameError: name 'later'")])
def test_a_module_that_cannot_be_imported(
    save: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken_nets.py").write_text(text)
    with pytest.raises(ConversionError, match=f"cannot be imported: {says}"):
        from_state_dict(save({"x": torch.ones(1)}), "broken_nets:net", (2,))


def test_a_flat_input(save: Callable[..., Path]) -> None:
    state = ARCHITECTURES["lenet_300_100"].factory().state_dict()
    source = from_state_dict(save(state), "lenet_300_100", (784,))
    assert source.graph is not None
    assert source.graph.input_shape == (784,)


def test_wrong_input_shape(save: Callable[..., Path], state: dict) -> None:
    with pytest.raises(ConversionError, match=r"cannot be traced on an input of shape \[2, 3, 7\].*--input-shape"):
        from_state_dict(save(state), LENET, (3, 7))


class Harmful:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("harm"),))


@pytest.mark.parametrize("legacy", [False, True])
def test_whole_modules_are_refused_with_the_way_out(save: Callable[..., Path], legacy: bool) -> None:
    path = save(nn.Linear(2, 2), _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ConversionError, match=r"torch\.nn\.modules\.linear\.Linear.*state_dict\(\).*torch\.export"):
        from_state_dict(path)


def test_code_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Callable[..., Path]) -> None:
    monkeypatch.chdir(tmp_path)
    plain = tmp_path / "plain.pt"
    plain.write_bytes(pickle.dumps(Harmful()))
    for path in (plain, save({"state_dict": Harmful()})):
        with pytest.raises(ConversionError):
            from_state_dict(path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("loaded", [3, [torch.zeros(2)], {}, {"a": 1}, {"state_dict": {}}, torch.zeros(3)])
def test_not_a_state_dict(save: Callable[..., Path], loaded: Any) -> None:
    with pytest.raises(ConversionError, match=r"not a state dict|holds no tensors"):
        from_state_dict(save(loaded))


def test_names_must_be_text(save: Callable[..., Path]) -> None:
    with pytest.raises(ConversionError, match=r"name must be text.*found 7"):
        from_state_dict(save({7: torch.zeros(2)}))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated(save: Callable[..., Path], legacy: bool, share: float) -> None:
    path = save({"a": torch.randn(50)}, _use_new_zipfile_serialization=not legacy)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ConversionError, match="can be read"):
        from_state_dict(path)


@pytest.mark.parametrize("name", ["x.pt", "x.safetensors"])
@pytest.mark.parametrize("data", [b"garbage" * 50, b"PK\x03\x04" + bytes(100), b"\x80\x02}.", bytes(64)])
def test_garbage(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ConversionError):
        from_state_dict(path)


def test_each_byte_flipped_never_escapes_as_another_error(save: Callable[..., Path]) -> None:
    path = save({"a": torch.arange(4)}, _use_new_zipfile_serialization=False)
    data = bytearray(path.read_bytes())
    for i in range(0, len(data), 3):
        data[i] ^= 0x55
        path.write_bytes(data)
        with contextlib.suppress(ConversionError):
            from_state_dict(path)
        data[i] ^= 0x55
