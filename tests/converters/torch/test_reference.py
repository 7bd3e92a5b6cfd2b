from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dcz.converters.torch.reference import ask
from dcz.dcformat import ConversionError

INPUTS = np.arange(15, dtype=np.float32).reshape(5, 3)


class Recorder(nn.Module):
    """Doubles its input, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
        self.asked.append(x)
        return 2 * x, None


def test_batches_are_filled_up_with_the_last_sample() -> None:
    recorder = Recorder()
    assert np.array_equal(ask(recorder, [INPUTS], batch=3)[0], 2 * INPUTS)
    assert [x.tolist() for x in recorder.asked] == [INPUTS[:3].tolist(), INPUTS[[3, 4, 4]].tolist()]
    assert np.array_equal(ask(recorder, [INPUTS])[0], 2 * INPUTS)
    assert len(recorder.asked) == 3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_floats_are_widened_before_they_are_added(dtype: torch.dtype) -> None:
    linear = nn.Linear(3, 4).to(dtype)
    weight, bias = linear.weight.detach().double().numpy(), linear.bias.detach().double().numpy()
    (found,) = ask(linear, [INPUTS])
    assert found.dtype == np.float32
    assert np.allclose(found, INPUTS @ weight.T + bias, rtol=1e-5)


def test_float64_stays(tmp_path: object) -> None:
    assert ask(nn.Linear(3, 4).double(), [INPUTS])[0].dtype == np.float64


def test_element_types_that_a_program_names_are_widened_too() -> None:
    class Casting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.constant = torch.full((3,), 0.5, dtype=torch.float16)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.to(torch.float16) * self.constant

    program = torch.export.export(Casting(), (torch.zeros(5, 3, dtype=torch.float16),)).module()
    third = np.full((5, 3), 1 / 3, np.float32)
    assert np.array_equal(ask(program, [third])[0], third / 2)


def test_all_tensors_of_an_answer_in_their_order() -> None:
    class Several(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> object:
            return {"sum": x + y, "rest": [None, (y, 3)]}

    ids = np.arange(15).reshape(5, 3)
    found = ask(Several(), [INPUTS, ids], batch=2)
    assert [array.dtype for array in found] == [np.float32, np.int64]
    assert np.array_equal(found[0], (INPUTS + ids).astype(np.float32))
    assert np.array_equal(found[1], ids)


def test_what_torch_says_is_told() -> None:
    with pytest.raises(ConversionError, match=r"cannot run the model on an input of shape \[5, 3\]: mat1"):
        ask(nn.Linear(4, 4), [INPUTS])
