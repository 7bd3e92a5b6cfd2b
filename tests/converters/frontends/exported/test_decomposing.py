from __future__ import annotations

import torch
from networks import Call, captured, ops, randomise
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from dcz.converters.frontends.exported.decomposing import decomposed
from dcz.converters.frontends.exported.lowering import LOWERINGS


def targets(module: nn.Module) -> list[str]:
    program = torch.export.export(module, (torch.zeros(2, 4, 6),))
    return [str(node.target) for node in decomposed(program)[1].nodes if node.op == "call_function"]


def test_what_has_a_lowering_stays() -> None:
    assert torch.ops.aten.chunk.default in LOWERINGS
    assert targets(Call(lambda x: x.chunk(2, 1)[0])).count("aten.chunk.default") == 1


def test_what_torch_defines_by_others_is_said_by_those() -> None:
    assert targets(Call(lambda x: torch.einsum("nct->ntc", x))) == ["aten.permute.default"]
    assert ops(captured(Call(lambda x: torch.column_stack([x.mT, x.mT])), (4, 6))) == ["permute", "permute", "concat"]


def test_what_makes_weights_stays_as_it_is() -> None:
    conv = weight_norm(nn.Conv1d(4, 3, 1))
    found = targets(Call(lambda x, conv: torch.einsum("nct->ntc", conv(x)), conv=randomise(conv)))
    assert any("weight_norm" in target for target in found)
    assert "aten.einsum.default" not in found


def test_writing_in_place_becomes_plain() -> None:
    assert targets(Call(lambda x: x.clone().relu_())) == ["aten.clone.default", "aten.relu.default"]
