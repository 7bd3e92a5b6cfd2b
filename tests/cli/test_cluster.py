"""dcz infer --backend dask: the same answers from workers. One test starts a real cluster; the others need none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dcz.cli import cluster

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore")  # distributed's own


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    ) as in_process:
        yield in_process.scheduler_address


@pytest.mark.parametrize("size", [1, 2, 64])
def test_answers_are_those_of_this_process(
    dcz: Callable, small_container: Path, pictures: Path, scheduler: str, size: int
) -> None:
    here = dcz("infer", small_container, pictures / "d.jpg", pictures, "--json")
    there = dcz(
        "infer", small_container, pictures / "d.jpg", pictures, "--json", "--scheduler", scheduler, "--batch-size", size
    )
    assert (there.code, there.out) == (0, here.out)


def test_relative_paths_and_batches_in_one_file_keep_their_names(
    dcz: Callable, small_container: Path, scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("two.npy", np.zeros((2, 1, 8, 8), dtype=np.float32))
    lines = dcz("infer", small_container, "two.npy", "--scheduler", scheduler, "--top", 1).out.splitlines()
    assert [line.split()[0] for line in lines] == ["two.npy[0]", "two.npy[1]"]


def test_a_cluster_of_this_machine(dcz: Callable, small_container: Path, pictures: Path) -> None:
    here = dcz("infer", small_container, pictures)
    there = dcz("infer", small_container, pictures, "--backend", "dask", "--batch-size", 2)
    assert (there.code, there.out) == (0, here.out)


def test_an_error_in_a_worker_is_one_line(
    fails: Callable, small_container: Path, scheduler: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    assert "bad.png" in fails("infer", small_container, tmp_path / "bad.png", "--scheduler", scheduler)


def test_a_scheduler_that_is_not_there(
    fails: Callable, small_container: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    assert "cannot reach the Dask scheduler" in fails("infer", small_container, pictures, "--scheduler", "127.0.0.1:1")


def test_without_dask_the_way_out_is_named(
    fails: Callable, small_container: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "pip install 'dcz[dask]'" in fails("infer", small_container, pictures, "--backend", "dask")
