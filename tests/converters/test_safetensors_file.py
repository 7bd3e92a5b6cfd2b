from __future__ import annotations

import io

import numpy as np
import torch
from safetensors.torch import load, save

from dcz.converters.safetensors_file import write_safetensors
from dcz.dcformat import open as open_container
from dcz.dcformat import write


def test_metadata_are_in_the_header_in_order() -> None:
    container, out = io.BytesIO(), io.BytesIO()
    tensors = {"b": np.ones(3, np.float32), "a": np.arange(4), 'quoted "\u2028': np.float16([0.5])}
    write(container, None, tensors)
    with open_container(container) as opened:
        write_safetensors(out, opened.entries, opened.pieces, {"source": "here", "format": "pt"})
        without = io.BytesIO()
        write_safetensors(without, opened.entries, opened.pieces)
    state = {name: torch.from_numpy(array) for name, array in tensors.items()}
    assert without.getvalue() == save(state)
    assert out.getvalue()[8:].startswith(b'{"__metadata__":{"format":"pt","source":"here"},"a":{')
    assert all(torch.equal(state[name], tensor) for name, tensor in load(out.getvalue()).items())
    one = io.BytesIO()
    with open_container(container) as opened:
        write_safetensors(one, opened.entries, opened.pieces, {"format": "pt"})
    assert one.getvalue() == save(state, {"format": "pt"})
