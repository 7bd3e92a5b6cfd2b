from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from networks import IMAGE, Call, captured, ops
from torch import Tensor, nn
from torch.nn import functional as F

from dcz.converters.frontends.exported.capture import lower_program
from dcz.converters.frontends.exported.torch_export import from_module, from_pt2
from dcz.converters.torch.module import GraphModule
from dcz.dcformat import ConversionError, UnsupportedOpError


class Returns(nn.Module):
    """A network that returns what a function makes of one tensor."""

    def __init__(self, wrap: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.wrap = wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(x.relu())


@pytest.mark.parametrize(
    "wrap",
    [lambda y: {"out": y}, lambda y: (y,), lambda y: [y], lambda y: (y, None), lambda y: {"a": None, "b": [y, 3]}],
)
def test_one_tensor_in_whatever_it_stands(wrap: Callable[[Tensor], Any]) -> None:
    assert ops(from_module(Returns(wrap), IMAGE)) == ["relu"]


def test_no_tensor_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"an output tensor \(expected 1 or more, found none\)$"):
        from_module(Returns(lambda y: None), IMAGE)


class Inputs(nn.Module):
    def forward(self, x: dict[str, Tensor], scale: float = 1.0) -> Tensor:
        return sum(value.relu() for value in x.values())  # type: ignore[return-value]


def test_one_tensor_in_among_other_inputs() -> None:
    program = torch.export.export(Inputs(), ({"image": torch.zeros(2, 3)}, 2.0))
    assert lower_program(program).graph.input_shape == (3,)
    both = {"image": torch.zeros(2, 3), "mask": torch.zeros(2, 3)}
    graph = lower_program(torch.export.export(Inputs(), (both,))).graph
    assert [given.name for given in graph.inputs] == ["x_image", "x_mask"]


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_programs_of_any_static_batch(tmp_path: Path, batch: int) -> None:
    net = nn.Sequential(nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(189, 2)).eval()
    torch.export.save(torch.export.export(net, (torch.zeros(batch, *IMAGE),)), tmp_path / "net.pt2")
    source = from_pt2(tmp_path / "net.pt2")
    assert source.graph is not None
    x = torch.randn(3, *IMAGE)
    torch.testing.assert_close(GraphModule(source.graph, source.tensors)(x), net(x))


def test_no_grad_inside_a_program() -> None:
    program = torch.export.export(Call(lambda x: torch.no_grad()(F.relu)(x).relu()), (torch.zeros(2, 3),))
    assert any(isinstance(node.target, torch._ops.HigherOrderOperator) for node in program.graph.nodes)
    assert [node.op for node in lower_program(program).graph.nodes] == ["relu", "relu"]


def test_lowering_leaves_the_program_as_it_is() -> None:
    program = torch.export.export(Call(lambda x: x.clamp(max=6).relu()), (torch.zeros(2, 3),))
    before = str(program.graph)
    lower_program(program)
    assert str(program.graph) == before


class Counts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x


def test_a_state_that_is_no_statistic_of_training() -> None:
    with pytest.raises(ConversionError, match=r"changes its buffers .*found calls\); dcz converts networks that keep"):
        from_module(Counts(), IMAGE)


def refusal(function: Callable[..., Tensor], **layers: nn.Module) -> UnsupportedOpError:
    with pytest.raises(UnsupportedOpError) as caught:
        from_module(Call(function, **layers), IMAGE)
    return caught.value


def test_all_missing_operators_are_named_and_counted() -> None:
    def forward(x: Tensor, conv: nn.Module) -> Tensor:
        y = torch.digamma(conv(x.lgamma()))
        y = torch.digamma(y + x.lgamma())
        return torch.cat([torch.digamma(y), F.avg_pool2d(y, 1, divisor_override=3)], 1).relu()

    error = refusal(forward, conv=nn.Conv2d(4, 4, 1))
    assert (error.op, error.node, error.shape) == ("aten.lgamma", "lgamma", IMAGE)
    assert str(error) == (
        "aten.lgamma: operator is not supported, 2 times (node 'lgamma', shape (4, 9, 11)); "
        "also aten.digamma: operator is not supported, 3 times (node 'digamma', shape (4, 9, 11)); "
        "also aten.avg_pool2d: divisor_override is not supported (node 'avg_pool2d', shape (4, 9, 11)); "
        "docs/format.md, section 6, lists what dcz has"
    )


def test_sizes_do_not_tell_forms_of_an_operator_apart() -> None:
    error = refusal(lambda x: F.avg_pool2d(F.avg_pool2d(x, 2, divisor_override=3), 2, divisor_override=5))
    assert "aten.avg_pool2d: divisor_override is not supported, 2 times" in str(error)


def test_behind_a_mixed_batch_only_unknown_operators_are_told() -> None:
    error = refusal(lambda x: x.mean(0).unsqueeze(0).relu().lgamma().flatten(1))
    assert (error.op, "aten.lgamma" in str(error)) == ("aten.mean.dim", True)
    assert "relu" not in str(error)


def test_several_results_behind_an_unknown_operator() -> None:
    error = refusal(lambda x: torch.cat(torch.frexp(x)[0].lgamma().chunk(2, 1), 1))
    assert "aten.frexp" in str(error)
    assert "also aten.lgamma" in str(error)


def test_dropout_that_is_switched_on() -> None:
    assert "pass training=self.training" in str(refusal(F.dropout))
    program = torch.export.export(nn.Sequential(nn.Dropout()).train(), (torch.zeros(2, 3),))
    with pytest.raises(UnsupportedOpError, match=r"switched on; export in eval mode \(model.eval\(\)\) \("):
        lower_program(program)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
def test_batch_norm_without_statistics() -> None:
    norm = nn.BatchNorm2d(4, track_running_stats=False)
    message = str(refusal(lambda x, norm: norm(x), norm=norm))
    assert "no running statistics (track_running_stats=False)" in message
    assert "eval mode" not in message
    with pytest.raises(UnsupportedOpError, match="track_running_stats"):
        lower_program(torch.export.export(norm, (torch.zeros(2, *IMAGE),)).run_decompositions())
    alone = refusal(lambda x, n: F.batch_norm(x, n.running_mean, n.running_var, training=True), n=nn.BatchNorm2d(4))
    assert "training" in str(alone)


def test_a_network_may_be_captured_again() -> None:
    net = Call(lambda x: x.clamp(max=6).relu())
    assert captured(net).graph == captured(net).graph
