"""Two processes that train one network: both prune and share the same weights."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
from loop_networks import batches, density, loss_of, network
from torch.nn.parallel import DistributedDataParallel

from dcz.compression import Pruner, Sharer


def train(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    model = DistributedDataParallel(network())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    pruner = Pruner(0.2, end=4, every=2).attach(model, optimizer)
    for step in (pruner, None):
        step = step or Sharer(3).attach(model)
        for batch in batches(4, seed=rank):
            optimizer.zero_grad()
            loss_of(model, batch).backward()
            optimizer.step()
            step.step()
    torch.save(step.finish().state_dict(), Path(folder) / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_two_processes_hold_the_same_weights(tmp_path: Path) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    torch.multiprocessing.spawn(train, (port, str(tmp_path)), nprocs=2)
    one, two = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    parameters = dict(network().named_parameters())
    assert all(torch.equal(one[name], two[name]) for name in parameters)
    model = network()
    model.load_state_dict(one)
    assert density(model) == pytest.approx(0.2, abs=0.001)
