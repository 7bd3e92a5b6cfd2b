"""Calls that are shared out, and what becomes of them where no thread can be started."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from functools import partial

import numpy as np
import pytest

import dcz
import dcz.runtime.plan.steps.weighted as weighted
from dcz.dcformat import Graph, make_node, write
from dcz.runtime import engine
from dcz.runtime.threads import workers as workers_module
from dcz.runtime.threads.team import Team
from dcz.runtime.threads.workers import Workers


@pytest.fixture
def no_threads(monkeypatch):
    """The system allows no more threads; gives a function that counts how often one was asked for."""
    asked = []

    def refuse(thread):
        asked.append(thread)
        raise RuntimeError("can't start new thread")

    workers_module.tell_no_threads.cache_clear()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    return lambda: len(asked)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network whose large layers and slices are shared among threads, where there are any."""
    rng = np.random.default_rng(0)
    nodes = (
        make_node("conv2d", (0,), {"weight": "c"}, {"padding": (1, 1)}),
        make_node("flatten", (1,)),
        make_node("linear", (2,), {"weight": "l"}),
    )
    tensors = {"c": rng.normal(size=(32, 3, 3, 3)), "l": rng.normal(size=(4, 2048))}
    path = tmp_path_factory.mktemp("workers") / "network.dcz"
    write(path, Graph((3, 8, 8), nodes, 3), {name: array.astype(np.float32) for name, array in tensors.items()})
    return path, rng.normal(size=(40, 3, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_every_call_is_made_once(threads, count):
    done = []
    Workers(threads).run(partial(done.append, i) for i in range(count))
    assert sorted(done) == list(range(count))


def test_calls_run_at_once():
    both = threading.Barrier(2, timeout=20)
    Workers(2).run([both.wait, both.wait])


@pytest.mark.parametrize("threads", [1, 3])
def test_what_a_call_raises_reaches_the_caller_and_no_other_is_begun(threads):
    begun = []

    def fail():
        begun.append(0)
        raise KeyError("call")

    workers = Workers(threads)
    with pytest.raises(KeyError, match="call"):
        workers.run([fail] * 100)
    assert len(begun) <= threads
    workers.run([partial(begun.append, 1)] * 3)
    assert begun.count(1) == 3, "it goes on working"


def test_without_threads_the_caller_makes_all_calls_and_asks_no_more(no_threads, caplog):
    workers, done = Workers(3), []
    for _ in range(3):
        workers.run(partial(done.append, threading.current_thread()) for _ in range(9))
    assert done == [threading.current_thread()] * 27
    assert no_threads() == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "no thread can be started" in caplog.text


def test_a_thread_that_was_started_helps_where_the_next_one_is_refused(monkeypatch):
    start, started, done = threading.Thread.start, [], []

    def once(thread):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", once)
    Workers(4).run(partial(done.append, i) for i in range(200))
    assert sorted(done) == list(range(200))


def test_a_team_without_helpers_works_alone_and_asks_no_more(no_threads):
    team, done = Team(3), []
    parts = [[(done.append, (part,))] for part in range(5)]
    for _ in range(3):
        team.run(parts, [call for part in parts for call in part])
    assert done == [0, 1, 2, 3, 4] * 3
    assert no_threads() == 1


def test_a_team_goes_on_with_the_helpers_that_it_got(monkeypatch):
    start, started = threading.Thread.start, []

    def once(thread):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", once)
    team, both = Team(4), threading.Barrier(2, timeout=20)
    team.run([[(both.wait, ())], [(both.wait, ())]], [])
    assert team._helpers == started


@pytest.mark.parametrize("threads", [1, 3])
def test_a_model_answers_the_same_where_no_thread_can_be_started(network, monkeypatch, threads, request):
    path, batch = network
    monkeypatch.setattr(weighted, "PARALLEL_WORK", 0)
    monkeypatch.setattr(engine, "PARALLEL_BYTES", 0)  # layers are packed in several threads
    sizes = (1, 2, 5, 16, 40)
    expected = [dcz.load(path, threads=1)(batch[:n]) for n in sizes]
    request.getfixturevalue("no_threads")
    model = dcz.load(path, threads=threads)
    for n, answer in zip(sizes, expected, strict=True):
        np.testing.assert_array_equal(model(batch[:n]), answer)


ENDING = """
import atexit, sys, threading
import numpy as np
import dcz
from dcz.runtime.plan.steps import weighted
weighted.PARALLEL_WORK = 0
batch = np.load(sys.argv[2])
used, fresh = (dcz.load(sys.argv[1], threads=2) for _ in range(2))
expected = used(batch)

def ask(when):
    for model in (used, fresh, dcz.load(sys.argv[1], threads=2)):
        for n in (1, 2, 40):
            assert np.allclose(model(batch[:n]), expected[:n], atol=1e-4)
    print(when)

def afterwards():
    threading.main_thread().join()
    ask("main thread has ended")

atexit.register(ask, "exit")
threading.Thread(target=afterwards).start()
"""


def test_a_model_answers_while_the_process_ends(network, tmp_path):
    path, batch = network
    np.save(tmp_path / "batch.npy", batch)
    command = [sys.executable, "-c", ENDING, path, tmp_path / "batch.npy"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "main thread has ended\nexit\n"), done.stderr
    assert "Traceback" not in done.stderr


LATE_IMPORT = """
import sys, threading

def afterwards():
    threading.main_thread().join()
    import numpy as np
    import dcz
    print(dcz.load(sys.argv[1], threads=2)(np.load(sys.argv[2])).shape)

threading.Thread(target=afterwards).start()
"""


def test_the_package_may_be_imported_when_the_main_thread_has_ended(network, tmp_path):
    path, batch = network
    np.save(tmp_path / "batch.npy", batch)
    command = [sys.executable, "-c", LATE_IMPORT, path, tmp_path / "batch.npy"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "(40, 4)\n"), done.stderr
