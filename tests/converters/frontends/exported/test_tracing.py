"""What cannot be traced is refused by its cause, and torch says nothing on its own."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass

import pytest
import torch
from networks import Call, captured
from torch import Tensor, nn

from dcz.converters.frontends.exported.torch_export import from_module
from dcz.converters.frontends.exported.tracing import quiet, trace
from dcz.converters.frontends.inputs import Asked
from dcz.dcformat import ConversionError

SHAPE = (3, 6, 5)


class TwoInputs(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class KeywordInput(nn.Module):
    def forward(self, *, x: Tensor) -> Tensor:
        return x


class WithMask(nn.Module):
    def forward(self, x: Tensor, *, mask: Tensor) -> Tensor:
        return x * mask


class NoInput(nn.Module):
    def forward(self) -> Tensor:
        return torch.zeros(1)


class Dictionary(nn.Module):
    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return batch["image"].relu()


class DependsOnValues(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.relu() if x.sum() > 0 else x


class Fails(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class OptionalInput(nn.Module):
    def forward(self, x: Tensor, mask: Tensor | None = None, *, scale: float = 1.0) -> Tensor:
        return x.relu()


def quantized() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(5, 2)))


def scripted() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(nn.ReLU())


@dataclass
class Answer:
    scores: Tensor


class WithAnObject(nn.Module):
    def forward(self, x: Tensor) -> Answer:
        return Answer(x.relu())


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 1, enable_nested_tensor=False)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.flatten(1)[:, :4].expand(2, -1, -1), self.mask)


SHAPES_HINT = "check the input shape"
REFUSED = {
    "two inputs": (TwoInputs, "forward takes 'x', 'y' .*a shape for each", "--input-shape x:3,6,5 --input-shape y:"),
    "a mask by keyword": (WithMask, "forward takes 'x', 'mask'", "--input-shape mask:"),
    "only by keyword": (KeywordInput, "forward takes 'x'", "--input-shape x:"),
    "no input": (NoInput, "forward takes no input", ""),
    "dictionary": (Dictionary, "takes a dictionary: forward reads 'image'", "makes the dictionary"),
    "values": (DependsOnValues, r"depends on the values in a tensor .*\(test_tracing.py, line", "same for every input"),
    "mask of values": (Masked, "depends on the values in a tensor", "is_causal=True"),
    "object": (WithAnObject, r"torch.export does not know \(found .*test_tracing.Answer\)", "register_dataclass"),
    "failing": (Fails, r"cannot be traced .*: NotImplementedError \(test_tracing.py, line", ""),
    "no forward": (nn.Module, "has no forward", ""),
    "script": (scripted, "a ScriptModule holds compiled code", "nn.Module that it was made from"),
    "script inside": (lambda: nn.Sequential(scripted()), r"ScriptModule .*\(in '0'\)", "nn.Module that it was made"),
    "quantized": (quantized, r"quantized the network.*\(in '0', found Linear\)", "with --bits 8"),
    "lazy": (lambda: nn.Sequential(nn.LazyConv2d(4, 3)), r"lazy layers.*\(found '0.weight'\)", "run it once"),
    "meta": (lambda: nn.Linear(5, 2, device="meta"), r"meta device.*\(found 'weight'\)", "load_state_dict"),
    "channels": (lambda: nn.Conv2d(4, 2, 1), "cannot be traced .* to have 4 channels", SHAPES_HINT),
    "features": (lambda: nn.Linear(7, 2), "cannot be traced .*shape", SHAPES_HINT),
}


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature:UserWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_each_cause_by_its_name(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    make, what, hint = REFUSED[name]
    with pytest.raises(ConversionError, match=what) as caught:
        from_module(make(), SHAPE)
    assert hint in str(caught.value)
    assert (SHAPES_HINT in str(caught.value)) == (hint == SHAPES_HINT)
    assert capfd.readouterr() == ("", "")


def test_a_network_for_single_samples_is_captured_with_one() -> None:
    source = captured(Call(lambda x, a: a(x.mean((2, 3)).view(1, 4)), a=nn.Linear(4, 2)).eval(), samples=1)
    assert any("one sample at a time (RuntimeError:" in message for message in source.messages)


def test_the_module_of_an_exported_program() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()).eval()
    for batch in (1, 2):
        program = torch.export.export(net, (torch.zeros(batch, *SHAPE),))
        captured(program.module(), SHAPE, samples=batch)


def test_optional_inputs_are_left_out() -> None:
    captured(OptionalInput(), SHAPE)


def test_the_mode_of_each_layer_is_restored() -> None:
    net = nn.Sequential(nn.Dropout(), nn.BatchNorm2d(3))
    net[1].eval()
    trace(net, [Asked(SHAPE)])
    assert [layer.training for layer in net] == [True, False]


class Keeps(nn.Module):
    """As detectors keep the anchors of the last size that they saw."""

    anchors = torch.empty(0)  # of the class: torch.export puts back what the module itself has
    seen: tuple[int, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        if self.seen != tuple(x.shape[1:]):
            self.anchors, self.seen = torch.arange(x.shape[-1]) + x.new_zeros(1), tuple(x.shape[1:])
        return x + self.anchors


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_module_that_keeps_tensors_runs_afterwards() -> None:
    net, x = Keeps(), torch.ones(2, *SHAPE)
    trace(net, [Asked(SHAPE)])
    assert net.seen == ()
    assert net(x).numpy()[0, 0, 0].tolist() == [1, 2, 3, 4, 5]


def test_torch_is_quiet_for_a_while_only() -> None:
    logger, other = logging.getLogger("torch.export"), logging.getLogger("dcz.convert")
    with quiet():
        assert logger.disabled
        assert not other.disabled
    assert not logger.disabled
