from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dcz.converters.compression.apply import (
    Compression,
    TensorError,
    error_between,
    left_as_they_are,
    negative_zeros,
    weight_names,
)
from dcz.converters.compression.clustering import Clustering
from dcz.converters.compression.pruning import parse_prune
from dcz.converters.compression.sharing import parse_bits
from dcz.converters.frontends.arrays import from_torch, to_torch
from dcz.converters.frontends.exported.torch_export import from_module
from dcz.converters.frontends.source import Source
from dcz.dcformat import ConversionError, Dense


@pytest.fixture
def source() -> Source:
    torch.manual_seed(5)
    layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 20)]
    return from_module(nn.Sequential(*layers), (3, 8, 8))


def test_weights_of_all_kinds_of_convolutions_are_compressed() -> None:
    lines = [nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.ConvTranspose1d(4, 3, 2)]
    assert weight_names(from_module(nn.Sequential(*lines), (2, 9))) == ["0.weight", "2.weight"]
    images = [nn.ConvTranspose2d(2, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 2)]
    assert weight_names(from_module(nn.Sequential(*images), (2, 9, 9))) == ["0.weight", "2.weight"]


def compress(source: Source, *how: Any, **options: Any) -> tuple[dict[str, Dense], dict[str, TensorError]]:
    compression = Compression(source, *how, **options)
    made = {name: compression(name, tensor) for name, tensor in source.tensors.items()}
    tensors = {name: tensor for name, (tensor, _) in made.items()}
    return tensors, {name: error for name, (_, error) in made.items() if error is not None}


def test_weights_are_those_of_convolutions_and_linear_layers(source: Source) -> None:
    assert weight_names(source) == ["0.weight", "4.weight"]
    source.graph = None
    source.tensors["ids"] = Dense(np.zeros((2, 2), np.int64), "I64")
    assert weight_names(source) == ["0.weight", "4.weight"]


def test_nothing_lossy_unasked(source: Source) -> None:
    tensors, errors = compress(source, None, None)
    assert errors == {}
    assert all(tensors[name] is tensor for name, tensor in source.tensors.items())


def test_pruned_and_shared_as_asked(source: Source) -> None:
    tensors, errors = compress(source, parse_prune("percent:60"), parse_bits("conv=3,fc=2"))
    assert list(tensors) == list(source.tensors)
    assert set(errors) == {"0.weight", "4.weight"}
    for name, most in (("0.weight", 8), ("4.weight", 4)):
        before, after = source.tensors[name].array, tensors[name].array
        kept = after != 0
        assert np.count_nonzero(kept) == pytest.approx(0.4 * before.size, abs=1)
        assert len(np.unique(after[kept])) <= most
        assert np.abs(before[~kept]).max() <= np.abs(before[kept]).min()
        assert errors[name].max_error == pytest.approx(float(np.abs(before - after).max()))
        assert errors[name].rms_error == pytest.approx(float(np.sqrt(np.mean((before - after) ** 2))), rel=1e-5)
    untouched = set(tensors) - set(errors)
    assert all(tensors[name] is source.tensors[name] for name in untouched)


def test_a_rule_for_some_layers_leaves_the_others(source: Source) -> None:
    _, errors = compress(source, None, parse_bits("4=2"))
    assert set(errors) == {"4.weight"}


def test_what_is_shared_already_is_left_bit_for_bit(source: Source) -> None:
    once, _ = compress(source, parse_prune("std:0.5"), parse_bits("4"))
    again, errors = compress(Source(once, source.graph), None, parse_bits("4"))
    assert errors == {}
    assert all(again[name].array.tobytes() == once[name].array.tobytes() for name in once)


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F64"])
def test_element_types_are_kept(dtype: str) -> None:
    kinds = {"F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}
    module = nn.Sequential(nn.Linear(30, 20)).to(kinds[dtype])
    tensors, errors = compress(from_module(module, (30,)), parse_prune("percent:50"), parse_bits("2"))
    assert tensors["0.weight"].dtype == dtype
    assert len(np.unique(tensors["0.weight"].array)) <= 5
    assert 0 < errors["0.weight"].rms_error < 0.1


def test_doubles_that_stay_keep_all_their_bits() -> None:
    weight = torch.randn(30, 20, dtype=torch.float64)
    source = Source({"w": from_torch("w", weight)})
    pruned = compress(source, parse_prune("percent:50"), None)[0]["w"].array
    stays = pruned != 0
    assert stays.sum() == 300
    assert np.array_equal(pruned[stays], weight.numpy()[stays])
    few = Source({"w": from_torch("w", weight[:2, :2].repeat(9, 9) / 3)})
    assert compress(few, None, parse_bits("2")) == (few.tensors, {})


@pytest.mark.parametrize("with_graph", [False, True])
def test_integer_weights_are_named_and_left_alone(with_graph: bool) -> None:
    source = from_module(nn.Sequential(nn.Linear(30, 20)), (30,))
    integers = from_torch("x", torch.randint(-9, 9, (20, 30), dtype=torch.int8))
    source.tensors["0.weight"] = integers
    if not with_graph:
        source = Source({**source.tensors, "counts": from_torch("c", torch.arange(3))})
    assert left_as_they_are(source) == ["0.weight"]
    assert compress(source, parse_prune("percent:50"), parse_bits("2")) == (source.tensors, {})


def test_unknown_layers_and_infinite_weights_are_refused(source: Source) -> None:
    with pytest.raises(ConversionError, match=r"no layer 'fc9' .*one of 0, 4\)"):
        compress(source, None, parse_bits("fc9=3"))
    source.tensors["0.weight"].array[0, 0, 0, 0] = np.nan
    for prune, bits in ((parse_prune("std:1"), None), (None, parse_bits("3"))):
        with pytest.raises(ConversionError, match=r"'0\.weight': it holds NaN"):
            compress(source, prune, bits)


def test_error_of_equal_of_empty_and_of_infinite_tensors() -> None:
    odd = Dense(np.array([np.nan, np.inf, 1], np.float32), "F32")
    assert error_between(odd, odd).max_error == 0
    empty = Dense(np.zeros((0, 3), np.float32), "F32")
    assert error_between(empty, empty).rms_error == 0
    assert error_between(odd, Dense(np.array([np.nan, np.inf, 3], np.float32), "F32")).max_error == 2


def test_the_exact_method_is_at_least_as_close(source: Source) -> None:
    def rms(how: Clustering) -> float:
        return compress(source, None, parse_bits("2"), how)[1]["0.weight"].rms_error

    assert rms(Clustering(method="exact")) <= rms(Clustering()) + 1e-9
    assert rms(Clustering("random", seed=1)) != rms(Clustering("random", seed=2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_negative_zeros_are_counted_and_made_positive_if_asked(dtype: torch.dtype) -> None:
    module = nn.Sequential(nn.Linear(30, 20)).to(dtype)
    with torch.no_grad():
        module[0].weight.mul_(module[0].weight.abs() > module[0].weight.abs().median())
    source = from_module(module, (30,))
    left_behind = negative_zeros(source)
    assert 0 < left_behind < 20 * 30
    assert compress(source, None, None) == (source.tensors, {})
    tensors, errors = compress(source, None, None, positive_zeros=True)
    assert errors["0.weight"] == TensorError(0.0, 0.0)
    assert list(errors) == ["0.weight"]
    assert negative_zeros(Source(tensors, source.graph)) == 0
    assert torch.equal(to_torch(tensors["0.weight"]), module[0].weight)
