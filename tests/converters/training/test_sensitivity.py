"""The scan finds the layer that matters, and changes nothing."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from dcz.converters.training.data.datasets import Split
from dcz.converters.training.sensitivity import propose, sensitivity
from dcz.dcformat import Preprocess

PLAIN = Preprocess(mode="L", mean=(0.0,), std=(1.0,))


def test_scan_and_proposal() -> None:
    # Classes by which of four pixels shines. The first layer copies them; half of the second layer is idle.
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 4, bias=False), nn.Linear(4, 8, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.diag(torch.tensor([1.0, 1.1, 1.2, 1.3])))
        model[2].weight.copy_(torch.cat([torch.eye(4), torch.zeros(4, 4)]))
    labels = np.arange(4).repeat(5)
    images = np.zeros((20, 2, 2, 1), dtype=np.uint8)
    images.reshape(20, 4)[np.arange(20), labels] = 255
    before = {name: value.clone() for name, value in model.state_dict().items()}
    scan = sensitivity(model, Split(images, labels), PLAIN, densities=(0.0625, 0.125, 0.25, 0.5))
    assert list(scan) == ["1.weight", "2.weight"]
    assert scan["1.weight"] == {0.0625: 0.5, 0.125: 0.75, 0.25: 1.0, 0.5: 1.0}  # a tie is class 0
    assert scan["2.weight"] == {0.0625: 0.5, 0.125: 1.0, 0.25: 1.0, 0.5: 1.0}
    assert propose(scan, accuracy=1.0, loss=0.1) == {"1": 0.25, "2": 0.125}
    assert propose(scan, accuracy=1.0, loss=0.3) == {"1": 0.125, "2": 0.125}
    assert propose({"1.weight": {0.5: 0.1}}, accuracy=1.0, loss=0.1) == {"1": 1.0}
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
