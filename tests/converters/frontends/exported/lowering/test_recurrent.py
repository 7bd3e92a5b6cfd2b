"""Recurrent layers in every form: the graph answers as the module does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from networks import Call, captured, ops
from torch import Tensor, nn

from dcz.converters.compression.apply import weight_names
from dcz.converters.frontends.exported.torch_export import from_module
from dcz.dcformat import UnsupportedOpError

STEPS = (9, 7)
BOTH = {"batch_first": True, "bidirectional": True}


def of(kind: Any, pick: Any = lambda y, h: y, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    return Call(lambda x, layer: pick(*layer(x)), layer=kind(7, 5, **options)).eval()


def last(y: Tensor, h: Any) -> Tensor:
    """Hidden states of all layers and directions, (N, layers * directions, H)."""
    return (h[0] if isinstance(h, tuple) else h).transpose(0, 1)


class Begun(nn.Module):
    """An LSTM that begins with a trained state."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lstm = nn.LSTM(7, 5, batch_first=True)
        self.h, self.c = (nn.Parameter(torch.randn(1, 1, 5)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        states = [state.expand(-1, x.shape[0], -1) for state in (self.h, self.c)]
        return self.lstm(x, (states[0].contiguous(), states[1].contiguous()))[0]


def from_zeros(x: Tensor, lstm: nn.Module) -> Tensor:
    """An LSTM that begins with zeros, and a copy of these."""
    state = torch.zeros(1, x.shape[0], 5)
    return lstm(x, (state, state.clone()))[0]


FORMS: dict[str, tuple[nn.Module, list[str]]] = {
    "lstm": (of(nn.LSTM, batch_first=True), ["lstm"]),
    "lstm without bias": (of(nn.LSTM, batch_first=True, bias=False), ["lstm"]),
    "lstm of two layers": (of(nn.LSTM, batch_first=True, num_layers=2), ["lstm", "lstm"]),
    "lstm in both directions": (of(nn.LSTM, **BOTH), ["lstm", "lstm", "concat"]),
    "last state of an lstm": (of(nn.LSTM, last, batch_first=True), ["lstm", "slice", "flatten", "reshape"]),
    "last cell state": (of(nn.LSTM, lambda y, h: h[1][0], batch_first=True), []),
    "states of layers and directions": (of(nn.LSTM, last, num_layers=2, **BOTH), []),
    "steps first": (Call(lambda x, a: a(x.transpose(0, 1))[0].transpose(0, 1), a=nn.LSTM(7, 5).eval()), ["lstm"]),
    "states that are zeros": (Call(from_zeros, layer=nn.LSTM(7, 5, batch_first=True)).eval(), ["lstm"]),
    "gru": (of(nn.GRU, batch_first=True), ["gru"]),
    "gru without bias": (of(nn.GRU, batch_first=True, bias=False), ["gru"]),
    "gru of layers in both directions": (of(nn.GRU, num_layers=2, **BOTH), ["gru", "gru", "concat"] * 2),
    "last states of a gru": (of(nn.GRU, last, **BOTH), []),
    "an lstm that begins with a state": (Begun().eval(), []),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_graph_answers_as_the_module(name: str) -> None:
    module, expected = FORMS[name]
    found = ops(captured(module, STEPS))
    assert found == (expected or found)


def test_both_weights_are_compressed() -> None:
    source = captured(of(nn.GRU, batch_first=True), STEPS)
    assert weight_names(source) == ["layers.layer.weight_ih_l0", "layers.layer.weight_hh_l0"]


def test_projections_are_refused() -> None:
    with pytest.raises(UnsupportedOpError, match="projections"):
        from_module(of(nn.LSTM, batch_first=True, proj_size=3), STEPS)
