"""Tables that are looked up by integers: converted, checked, run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import Call
from torch import Tensor, nn
from torch.nn import functional as F

import dcz
from dcz.converters.frontends.exported.torch_export import from_module
from dcz.dcformat import InputError, UnsupportedOpError


class Words(nn.Module):
    """Two tables, one of which is looked up by a part of the ids, and numbers beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.large, self.small = nn.Embedding(11, 6), nn.Embedding(7, 2)

    def forward(self, ids: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.large(ids), self.small(ids[:, 1:]), scale.relu()


@pytest.mark.parametrize("ids", [(4, "int64"), (4,)])
def test_ids_are_said_or_found_by_trying(tmp_path: Path, ids: tuple[int | str, ...]) -> None:
    module = Words().eval()
    report = dcz.convert(module, tmp_path / "w.dcz", input_shape={"ids": ids, "scale": (3,)})
    told = "takes integers, as is found by trying: ids:4:int64, scale:3"
    assert (told in report.messages) == (ids == (4,))
    model = dcz.load(tmp_path / "w.dcz")
    given = model.noise(19)
    assert given["ids"].max() == 6
    with torch.no_grad():
        expected = module(*map(torch.from_numpy, given.values()))
    for found, tensor in zip(model(given).values(), expected, strict=True):
        np.testing.assert_array_equal(found, tensor.numpy())
    assert dcz.verify(tmp_path / "w.dcz", module).ok
    with pytest.raises(InputError, match=re.escape("out of range (input 'ids', expected 0 to 6, found 7)")):
        model({**given, "ids": given["ids"] + 1})
    with pytest.raises(InputError, match="not made of integers"):
        model({**given, "ids": given["ids"] + 0.5})


def test_ids_alone_survive_the_way_through_onnx(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    dcz.convert(nn.Embedding(11, 6), tmp_path / "w.dcz", input_shape=(4,))
    dcz.export(tmp_path / "w.dcz", tmp_path / "w.onnx")
    model, session = dcz.load(tmp_path / "w.dcz"), runtime.InferenceSession(tmp_path / "w.onnx")
    given = model.noise(3)
    np.testing.assert_array_equal(session.run(None, given)[0], model(given))


def test_floats_that_are_only_looked_up_may_become_integers() -> None:
    class Floats(nn.Module):
        def __init__(self, more: int) -> None:
            super().__init__()
            self.table, self.more = nn.Embedding(11, 6), more

        def forward(self, x: Tensor) -> Tensor:
            ids = x.long()
            return self.table(ids + self.more if self.more else ids)

    source = from_module(Floats(0), (4,))
    assert source.graph is not None
    assert [node.op for node in source.graph.nodes] == ["embedding"]
    with pytest.raises(UnsupportedOpError, match="a change of element type is not supported"):
        from_module(Floats(1), (4,))


def test_a_column_that_is_looked_up_is_refused_with_a_way_out() -> None:
    table = nn.Embedding(5, 4)
    with pytest.raises(UnsupportedOpError, match="an input of its own, of shape"):
        from_module(Call(lambda x, table: table(x[:, 1].long()), table=table), (2,))


class Bags(nn.Module):
    """Bags of rows, in all modes."""

    def __init__(self) -> None:
        super().__init__()
        self.bags = nn.ModuleList(nn.EmbeddingBag(5, 4, mode=mode) for mode in ("sum", "mean", "max"))

    def forward(self, ids: Tensor) -> Tensor:
        return torch.cat([bag(ids) for bag in self.bags], 1)


def test_rows_of_bags_are_reduced(tmp_path: Path) -> None:
    module = Bags().eval()
    dcz.convert(module, tmp_path / "w.dcz", input_shape=(2, "int64"))
    ids = np.random.default_rng(0).integers(0, 5, (6, 2))
    with torch.no_grad():
        expected = module(torch.from_numpy(ids)).numpy()
    np.testing.assert_allclose(dcz.load(tmp_path / "w.dcz")(ids), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("bag", "message"),
    [
        (lambda x, bag: bag(x.long(), per_sample_weights=x), "weighs the rows"),
        (lambda x, bag: F.embedding_bag(x.long(), bag.weight, padding_idx=1), "padding index"),
        (lambda x, bag: F.embedding_bag(x.long().flatten(), bag.weight, torch.tensor([0, 1])), "several lengths"),
    ],
)
def test_other_bags_are_refused_with_a_way_out(bag: Callable[..., Tensor], message: str) -> None:
    with pytest.raises(UnsupportedOpError, match=message):
        from_module(Call(bag, bag=nn.EmbeddingBag(5, 4, mode="sum")), (3,))
