"""dcz infer --backend dask: the same answers from workers. One test starts a real cluster; the others need none."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dcz.cli import cluster
from dcz.cli.signals import Terminated
from dcz.dcformat import InputError
from dcz.runtime.engine import Engine
from dcz.runtime.vision.ranking import Answer, Prediction

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


@pytest.fixture
def batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two arrays of two samples each, one of them named from the current folder and from the root."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("two.npy", "sub/two.npy"):
        np.save(name, np.zeros((2, 1, 8, 8), dtype=np.float32))
    return ["two.npy", "./sub/two.npy", str(tmp_path / "two.npy"), "two.npy"]


@pytest.mark.parametrize("size", [1, 3])
def test_relative_paths_and_batches_in_one_file_keep_their_names(
    dcz: Callable, small_container: Path, scheduler: str, batches: list[str], size: int
) -> None:
    here = dcz("infer", small_container, *batches, "--csv")
    there = dcz("infer", small_container, *batches, "--csv", "--scheduler", scheduler, "--batch-size", size)
    assert (there.code, there.out) == (0, here.out)
    assert "two.npy[1]" in here.out


def test_answers_of_workers_that_are_nan_are_told_once(
    dcz: Callable, small_container: Path, scheduler: str, tmp_path: Path
) -> None:
    bad = [tmp_path / f"bad{i}.npy" for i in range(3)]
    for path in bad:
        np.save(path, np.full((1, 8, 8), np.nan, dtype=np.float32))
    result = dcz("infer", small_container, *bad, "--scheduler", scheduler, "--batch-size", 1)
    assert result.code == 0
    assert result.err.count("NaN") == 1
    assert f"NaN in 3 of 3 answers: {', '.join(map(str, bad))}" in result.err


def test_a_worker_runs_batches(small_container: Path, batches: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    run = Engine.answers
    monkeypatch.setattr(Engine, "answers", lambda model, x: sizes.append(len(x[0])) or run(model, x))
    sent = cluster.SentModel(small_container.read_bytes(), "model.dcz", 1)
    monkeypatch.setattr(cluster, "get_worker", lambda: SimpleNamespace(plugins={sent.name: sent}))
    cluster._answer(batches, sent.name, f"{Path.cwd()}/./", 1, 8)
    assert sizes == [8]


def test_answers_travel_as_one_buffer() -> None:
    sound = Answer("/home/./a.png", [Prediction("cat", 3, 0.5), Prediction("dog", 1, 0.25)])
    bad = Answer("/home/./b.png", [], InputError("no image", path="/home/./b.png"))
    here, there = cluster._unpacked(cluster._packed([sound, bad], "/home/./"))
    assert here == sound._replace(name="a.png")
    assert type(here.predictions[0]) is Prediction
    assert (there.name, there.predictions, str(there.error)) == ("b.png", [], str(InputError("no image", path="b.png")))


def test_a_local_cluster_stops_when_no_client_starts(small_container: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Cluster:
        stopped = False

        def __init__(self, **_: object) -> None: ...
        def __enter__(self) -> Cluster:
            return self

        def __exit__(self, *_: object) -> None:
            Cluster.stopped = True

    def no_client(*_: object, **__: object) -> None:
        raise OSError("timed out")

    monkeypatch.setattr(distributed, "LocalCluster", Cluster)
    monkeypatch.setattr(distributed, "Client", no_client)
    with pytest.raises(InputError, match="timed out"):
        list(cluster.answers(str(small_container), ["x.png"], 1, 1, None, None))
    assert Cluster.stopped


def test_a_cluster_of_this_machine(dcz: Callable, small_container: Path, pictures: Path) -> None:
    here = dcz("infer", small_container, pictures)
    there = dcz("infer", small_container, pictures, "--backend", "dask", "--batch-size", 2)
    assert (there.code, there.out) == (0, here.out)


def test_an_error_in_a_worker_is_one_line(
    fails: Callable, small_container: Path, scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    here = fails("infer", small_container, "bad.png")
    assert fails("infer", small_container, "bad.png", "--scheduler", scheduler) == here


def test_a_file_that_cannot_be_read_is_a_row_and_the_rest_goes_on(
    dcz: Callable,
    small_container: Path,
    pictures: Path,
    scheduler: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    common = ("infer", small_container, pictures / "b.png", "bad.png", pictures, "--jsonl")
    here, there = dcz(*common), dcz(*common, "--scheduler", scheduler, "--batch-size", 1)
    assert there == here
    assert '{"path": "bad.png", "error": "bad.png: not a readable image' in there.out


def test_addresses_are_read_by_the_workers(dcz: Callable, small_container: Path, scheduler: str) -> None:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    written = io.BytesIO()
    np.save(written, np.zeros((2, 1, 8, 8), dtype=np.float32))
    memory.pipe_file("/inputs/two.npy", written.getvalue())
    result = dcz("infer", small_container, "memory://inputs", "--jsonl", "--top", 1, "--scheduler", scheduler)
    assert [json.loads(line)["path"] for line in result.out.splitlines()] == [
        f"memory:///inputs/two.npy[{i}]" for i in range(2)
    ]


def test_a_window_of_tasks_is_on_its_way(
    dcz: Callable, small_container: Path, pictures: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted, asked = [], []
    submit, wait = distributed.Client.submit, cluster._wait
    monkeypatch.setattr(distributed.Client, "submit", lambda *a, **k: submitted.append(1) or submit(*a, **k))
    monkeypatch.setattr(cluster, "_wait", lambda *a: asked.append(len(submitted)) or wait(*a))
    monkeypatch.setattr(cluster._TaskSize, "grow", lambda size: None)
    names = [pictures / "b.png"] * 20
    assert dcz("infer", small_container, *names, "--jsonl", "--scheduler", scheduler, "--batch-size", 1).code == 0
    window = 2 * cluster.TASKS_A_THREAD
    assert asked == [min(20, window + i) for i in range(20)]


def test_the_window_shrinks_when_workers_are_lost(
    dcz: Callable, small_container: Path, pictures: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = iter([6, 2, 1, 1, 1, 1, 1])
    monkeypatch.setattr(cluster, "_ahead", lambda client: next(sizes, 1))
    monkeypatch.setattr(cluster._TaskSize, "grow", lambda size: None)
    command = ("infer", small_container, *[pictures / "b.png"] * 12, "--jsonl")
    assert dcz(*command, "--scheduler", scheduler, "--batch-size", 1).out == dcz(*command).out


def test_tasks_grow_by_whole_batches_while_they_are_short() -> None:
    def sizes(batch_size: int, images: int, seconds: float | None) -> list[int]:
        size = cluster._TaskSize(batch_size)
        if seconds is not None:
            size.took(seconds)
        return list(map(len, cluster._chunks(map(str, range(images)), size)))

    assert sizes(16, 1000, None) == [16, 32, 64, 128, 256, 256, 248]
    assert sizes(16, 1000, cluster.SHORT_SECONDS) == sizes(16, 1000, None)
    assert sizes(16, 1000, 0.001) == [16, 32, 64, 128, 256, 504]
    assert sizes(100, 1000, None) == [100, 200, 200, 200, 200, 100]
    assert sizes(600, 1300, None) == [600, 600, 100]
    assert max(sizes(16, 20_000, 0.001)) == cluster.MOST_IMAGES


def test_a_scheduler_that_is_not_there(
    fails: Callable, small_container: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    assert "cannot reach the Dask scheduler" in fails("infer", small_container, pictures, "--scheduler", "127.0.0.1:1")


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster without workers, which is not waited for longer than a moment."""
    monkeypatch.setattr(cluster, "WORKER_SECONDS", 0.1)
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None) as without_workers:
        yield without_workers


def test_a_scheduler_without_workers(dcz: Callable, small_container: Path, pictures: Path, idle: Any) -> None:
    result = dcz("infer", small_container, pictures, "--scheduler", idle.scheduler_address)
    at_once, afterwards = result.err.splitlines()
    assert (result.code, result.out) == (1, "")
    assert at_once == "dcz: the Dask scheduler has no workers; waiting 0.1 s for one"
    assert afterwards.startswith("dcz: error: the Dask scheduler has no workers, and 0.1 s brought none")
    assert f"dask worker {idle.scheduler_address}" in afterwards


def test_a_worker_that_comes_later(
    dcz: Callable, small_container: Path, pictures: Path, idle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = cluster._wait

    def scale_up(client: Any, task: Any) -> None:
        idle.scale(1)
        client.wait_for_workers(1)
        wait(client, task)

    monkeypatch.setattr(cluster, "_wait", scale_up)
    there = dcz("infer", small_container, pictures, "--scheduler", idle.scheduler_address)
    assert (there.code, there.out) == (0, dcz("infer", small_container, pictures).out)


def test_a_scheduler_that_is_lost(
    dcz: Callable, small_container: Path, pictures: Path, idle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = cluster._wait

    def lose(client: Any, task: Any) -> None:
        idle.close()
        wait(client, task)

    monkeypatch.setattr(cluster, "_wait", lose)
    result = dcz("infer", small_container, pictures, "--scheduler", idle.scheduler_address)
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines()[-1].startswith(f"dcz: error: lost the Dask scheduler ({idle.scheduler_address})")


def test_workers_that_die(
    fails: Callable, small_container: Path, pictures: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(client: Any, task: Any) -> None:
        raise distributed.KilledWorker(task.key, None, 3)

    monkeypatch.setattr(cluster, "_wait", die)
    assert "workers died" in fails("infer", small_container, pictures, "--scheduler", scheduler)


def test_without_dask_the_way_out_is_named(
    fails: Callable, small_container: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "distributed is not installed; install with: pip install" in fails(
        "infer", small_container, pictures, "--backend", "dask"
    )


@pytest.mark.parametrize("ends", [KeyboardInterrupt, Terminated])
def test_tasks_that_an_interruption_cancels_do_not_hide_it(ends: type[BaseException]) -> None:
    def interrupted() -> None:
        with cluster._errors_in_our_words(None):
            try:
                raise ends
            finally:
                raise CancelledError

    with pytest.raises(ends):
        interrupted()
