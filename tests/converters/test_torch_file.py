from __future__ import annotations

import io
import zipfile

import numpy as np
import torch

from dcz.converters.torch_file import write_torch
from dcz.dcformat import open as open_container
from dcz.dcformat import write


def test_tied_tensors_are_stored_once_and_come_back_tied() -> None:
    container, out, theirs = io.BytesIO(), io.BytesIO(), io.BytesIO()
    write(container, None, {"embedding": np.ones((3, 2), np.float32), "bias": np.zeros(3, np.float32)})
    with open_container(container) as opened:
        write_torch(out, opened.entries, opened.pieces, {"head": "embedding"})
    out.seek(0)
    state = torch.load(out, weights_only=True)
    assert list(state) == ["embedding", "bias", "head"]
    assert state["head"].data_ptr() == state["embedding"].data_ptr()
    torch.save(state, theirs)
    with zipfile.ZipFile(out) as ours, zipfile.ZipFile(theirs) as expected:
        assert ours.read("archive/data.pkl") == expected.read("archive/data.pkl")
        assert sum(name.startswith("archive/data/") for name in ours.namelist()) == 2
