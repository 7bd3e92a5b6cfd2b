"""Weights that a network computes: the container holds them, bit for bit as the network computes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from networks import Call, captured
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune

from dcz.converters.compare import compare
from dcz.converters.convert import convert
from dcz.converters.frontends.arrays import to_torch
from dcz.converters.frontends.exported.constants import Constants
from dcz.converters.frontends.exported.torch_export import from_module, from_pt2
from dcz.converters.frontends.source import Source
from dcz.converters.frontends.state_dicts.state_dict import from_state_dict
from dcz.dcformat import UnsupportedOpError

SHAPE = (3, 6, 5)


class Net(nn.Module):
    """A convolution and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).relu().mean((2, 3)))


class Masked(nn.Linear):
    """A layer that carries its mask, here before its weight in the state dict's order."""

    def __init__(self, features_in: int, features_out: int) -> None:
        mask = (torch.rand(features_out, features_in) < 0.5).float()
        super().__init__(features_in, features_out)
        self.mask = nn.Parameter(mask, requires_grad=False)
        self._parameters = {"mask": self.mask, **self._parameters}

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)


def pruned(net: Net) -> None:
    prune.l1_unstructured(net.conv, "weight", amount=0.5)
    prune.random_structured(net.fc, "weight", amount=1, dim=0)
    prune.l1_unstructured(net.fc, "bias", amount=2)


def pruned_twice(net: Net) -> None:
    for _ in range(2):
        prune.l1_unstructured(net.conv, "weight", amount=0.3)


def masked(net: Net) -> None:
    net.fc = Masked(4, 4)


WRAPPED: dict[str, tuple[Callable[[Net], object], set[str]]] = {
    "pruned": (pruned, {"conv.weight", "fc.weight", "fc.bias"}),
    "pruned twice": (pruned_twice, {"conv.weight"}),
    "weight norm": (lambda net: parametrizations.weight_norm(net.conv), {"conv.weight"}),
    "spectral norm": (lambda net: parametrizations.spectral_norm(net.conv), {"conv.weight"}),
    "orthogonal": (lambda net: parametrizations.orthogonal(net.fc), {"fc.weight"}),
    "spectral norm by a hook": (lambda net: nn.utils.spectral_norm(net.fc), {"fc.weight"}),
    "masked": (masked, {"fc.weight"}),
}
PLAIN = {"conv.weight", "conv.bias", "fc.weight", "fc.bias"}


def wrapped(how: str) -> Net:
    torch.manual_seed(0)
    net = Net()
    WRAPPED[how][0](net)
    return net.eval()


def told(source: Source) -> str:
    return next(message for message in source.messages if "as the network computes them" in message)


@pytest.mark.parametrize("how", WRAPPED)
def test_computed_weights_stand_under_the_names_of_the_plain_network(how: str) -> None:
    net = wrapped(how)
    source = captured(net, SHAPE)
    assert set(source.tensors) == PLAIN
    computed = WRAPPED[how][1]
    assert all(repr(name) in told(source) for name in computed)
    for name in computed:
        assert torch.equal(to_torch(source.tensors[name]), weight_of(net, name))
    assert "in place of" in told(source)


def weight_of(net: Net, name: str) -> Tensor:
    """The weight that a layer of the network uses."""
    net(torch.zeros(1, *SHAPE))  # hooks compute it
    layer, _, role = name.partition(".")
    module = getattr(net, layer)
    return module.weight * module.mask if isinstance(module, Masked) else getattr(module, role)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
def test_weight_norm_by_a_hook() -> None:
    net = Net().eval()
    nn.utils.weight_norm(net.conv)
    assert set(captured(net, SHAPE).tensors) == PLAIN


@pytest.mark.filterwarnings("ignore:The tensor attributes .* were assigned during export:UserWarning")
@pytest.mark.parametrize("how", ["pruned", "weight norm"])
def test_exported_programs(tmp_path: Path, how: str) -> None:
    net = wrapped(how)
    torch.export.save(torch.export.export(net, (torch.zeros(2, *SHAPE),)), tmp_path / "net.pt2")
    source = from_pt2(tmp_path / "net.pt2")
    assert set(source.tensors) == PLAIN
    assert {name: tensor.array.tobytes() for name, tensor in source.tensors.items()} == {
        name: tensor.array.tobytes() for name, tensor in from_module(net, SHAPE).tensors.items()
    }


def test_checkpoints_of_networks_that_mask_their_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mask is the checkpoint's, not that of the network as it is built; names keep the checkpoint's prefix."""
    net = wrapped("masked")
    (tmp_path / "masked_net.py").write_text(
        "from test_constants import wrapped\ndef build():\n    net = wrapped('masked')\n"
        "    net.fc.mask.data.fill_(1)\n    return net\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(Path(__file__).parent)
    torch.save({f"module.{name}": value for name, value in net.state_dict().items()}, tmp_path / "net.pt")
    source = from_state_dict(tmp_path / "net.pt", "masked_net:build", SHAPE)
    assert set(source.tensors) == {f"module.{name}" for name in PLAIN}
    assert torch.equal(to_torch(source.tensors["module.fc.weight"]), weight_of(net, "fc.weight"))


def test_a_pruned_module_can_be_converted_and_compared(tmp_path: Path) -> None:
    """Its weight is no leaf of autograd, which torch does not copy."""
    net = wrapped("pruned")
    report = convert(net, tmp_path / "net.dcz", input_shape=SHAPE)
    assert any("'conv.weight'" in message for message in report.messages)
    comparison = compare(tmp_path / "net.dcz", net)
    assert comparison.tensors_equal
    assert comparison.max_output_error is not None
    assert comparison.max_output_error < 1e-5


def test_a_weight_that_is_also_used_as_it_is_keeps_its_name() -> None:
    def forward(x: Tensor, fc: nn.Linear, scale: nn.Linear) -> Tensor:
        return F.linear(fc(x), fc.weight * scale.weight)

    source = captured(Call(forward, fc=nn.Linear(4, 4), scale=nn.Linear(4, 4)).eval(), (4,))
    assert source.graph is not None
    assert [node.params["weight"] for node in source.graph.nodes] == ["layers.fc.weight", "layers.fc.weight.folded"]
    assert {"layers.fc.weight", "layers.fc.weight.folded"} <= set(source.tensors)
    assert "in place of 'layers.scale.weight'" in told(source)


def test_two_weights_from_one() -> None:
    def forward(x: Tensor, fc: nn.Linear) -> Tensor:
        return F.linear(F.linear(F.linear(x, fc.weight * 2), fc.weight * 2.0), fc.weight * 3)

    source = captured(Call(forward, fc=nn.Linear(4, 4)).eval(), (4,))
    names = [f"layers.fc.weight{ending}" for ending in ("", ".folded", ".folded.2")]
    assert source.graph is not None
    assert [node.params["weight"] for node in source.graph.nodes] == names


@pytest.mark.parametrize(
    "turned",
    [
        lambda w: w.view(7, 5).t(),
        lambda w: w.view(7, 5).permute(1, 0),
        lambda w: w.reshape(7, 5).transpose(-1, 0).contiguous(),
        lambda w: w.view(7, 5).permute(0, 1).T.transpose(0, 0),
    ],
)
def test_a_weight_of_another_shape_gets_another_name(turned: Callable[[Tensor], Tensor]) -> None:
    source = captured(Call(lambda x, a: F.linear(x, turned(a.weight)), a=nn.Linear(5, 7)).eval(), (7,))
    assert source.graph is not None
    assert source.graph.tensor_names() == ["layers.a.weight.folded"]
    assert source.tensors["layers.a.weight.folded"].shape == (5, 7)


def test_a_transposed_square_keeps_the_checkpoint_from_being_mistaken_for_it() -> None:
    source = captured(Call(lambda x, a: x @ a.weight, a=nn.Linear(5, 5, bias=False)).eval(), (5,))
    assert set(source.tensors) == {"layers.a.weight.folded"}


def test_a_layer_that_two_steps_use_is_computed_once() -> None:
    net = wrapped("pruned")
    twice = Call(lambda x, a: a(a(x)), a=net.fc)
    source = captured(twice, (4,))
    assert set(source.tensors) == {"layers.a.weight", "layers.a.bias"}


def test_numbers_of_chance_are_not_constants() -> None:
    with pytest.raises(UnsupportedOpError, match=r"aten\.rand"):
        from_module(Call(lambda x: F.linear(x, torch.rand(3, 4))), (4,))


def test_operators_with_effects_are_not_run(tmp_path: Path) -> None:
    graph = fx.Graph()
    made = graph.call_function(torch.ops.aten.from_file.default, (str(tmp_path / "made"), True, 3))
    foreign = graph.call_function(torch.ops.profiler._record_function_enter_new.default, ("name",))
    harmless = graph.call_function(torch.ops.aten.ones.default, ([3],))
    for node in graph.nodes:
        node.meta["val"] = torch.empty(3, device="meta")
    assert [node in Constants(graph, {}) for node in (made, foreign, harmless)] == [False, False, True]
