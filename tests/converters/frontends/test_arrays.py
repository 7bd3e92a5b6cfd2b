from __future__ import annotations

import numpy as np
import pytest
import torch

from dcz.converters.frontends.arrays import STORABLE, as_dense, from_state, from_torch, to_torch
from dcz.dcformat import ConversionError


def random_bits(dtype: torch.dtype, shape: tuple[int, ...]) -> torch.Tensor:
    """Elements of any bits at all, NaNs and infinities too."""
    tensor = torch.zeros(shape, dtype=dtype)
    high = 2 if dtype == torch.bool else 256
    for i in range(tensor.untyped_storage().nbytes()):
        tensor.untyped_storage()[i] = (i * 151 + 77) % high
    return tensor


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (7,), (3, 4, 5)])
@pytest.mark.parametrize("dtype", STORABLE)
def test_there_and_back_bit_for_bit(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    tensor = random_bits(dtype, shape)
    stored = from_torch("x", tensor)
    assert (stored.dtype, stored.shape) == (STORABLE[dtype], shape)
    back = to_torch(stored)
    assert (back.dtype, tuple(back.shape)) == (dtype, shape)
    assert bytes(back.untyped_storage()) == bytes(tensor.untyped_storage()) == stored.array.tobytes()


def test_strides_views_and_gradients_do_not_matter() -> None:
    base = torch.arange(24.0, requires_grad=True).reshape(4, 6)
    for tensor in (base.t(), base[1::2, ::3], base[0].expand(3, 6)):
        assert np.array_equal(from_torch("x", tensor).array, tensor.detach().numpy())
    negative = torch.tensor([1 + 2j]).conj().imag
    assert from_torch("x", negative).array.tolist() == [-2.0]


def test_names_of_one_tensor_are_names_of_one_array() -> None:
    base, brain = torch.arange(12.0).reshape(3, 4), torch.ones(3).bfloat16()
    state = {
        "a": base,
        "same": base[:],
        "seen as another shape": base.view(4, 3),
        "turned": base.t(),
        "a part": base[1:],
        "equal": base.clone(),
        "brain": brain,
        "brain too": brain.detach(),
        "its bits": brain.view(torch.int16),
        "empty": torch.zeros(0),
        "empty too": torch.zeros(0),
        "channels last": (last := torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)),
        "channels last too": last,
    }
    stored = from_state(state)
    assert list(stored) == list(state)
    for name, tensor in state.items():
        assert stored[name].array.tobytes() == from_torch(name, tensor).array.tobytes()
        firsts = [other for other in state if stored[other] is stored[name]]
        assert firsts in ([name], ["a", "same"], ["brain", "brain too"], ["channels last", "channels last too"])
    assert stored["a"] is stored["same"]
    assert stored["brain"] is stored["brain too"]
    assert stored["channels last"] is stored["channels last too"]
    with pytest.raises(ConversionError, match="sparse"):
        from_state({"x": torch.eye(2).to_sparse()})


@pytest.mark.parametrize(
    ("tensor", "found"),
    [
        (torch.zeros(2, dtype=torch.complex64), "complex64"),
        (torch.zeros(2, dtype=torch.float8_e4m3fn), "float8_e4m3fn"),
        (torch.eye(2).to_sparse(), "sparse_coo"),
    ],
)
def test_refused_by_name(tensor: torch.Tensor, found: str) -> None:
    with pytest.raises(ConversionError, match=rf"'net\.w'.*found {found}"):
        from_torch("net.w", tensor)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_quantized_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"'q'.*found quantized.*dequantize.*--bits 8"):
        from_torch("q", torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8))


def test_values_as_numpy_knows_them() -> None:
    tensor = torch.tensor([1.5, -3.0, float("inf")])
    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        assert np.array_equal(from_torch("x", tensor.to(dtype)).numbers(), tensor.numpy())


def test_arrays_name_their_type() -> None:
    assert as_dense(np.zeros(2, np.float16)).dtype == "F16"
    dense = from_torch("x", torch.zeros(2))
    assert as_dense(dense) is dense
