from __future__ import annotations

import gc
import os
import threading
import time

import numpy as np
import pytest

import dcz.runtime.plan.steps.pool as pooling
import dcz.runtime.plan.steps.weighted as weighted
from dcz import runtime
from dcz.dcformat import Graph, make_node, write
from dcz.runtime.threads import team as teams
from dcz.runtime.threads.team import Team


def run(team, parts):
    team.run(parts, [call for part in parts for call in part])


def marks(count, done):
    return [[(done.append, ((part, call),)) for call in range(3)] for part in range(count)]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_call_runs_once_and_those_of_a_part_in_order(threads):
    team = Team(threads)
    for parts in (1, 2, 7):
        done = []
        run(team, marks(parts, done))
        assert sorted(done) == [(part, call) for part in range(parts) for call in range(3)]
        assert all(done.index((part, 0)) < done.index((part, 1)) < done.index((part, 2)) for part in range(parts))


def test_parts_run_at_once():
    both = threading.Barrier(2, timeout=20)
    run(Team(2), [[(both.wait, ())], [(both.wait, ())]])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not tell cores")
def test_helpers_keep_off_the_callers_core():
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("there is one core")
    team, seen, both = Team(2), {}, threading.Barrier(2, timeout=20)

    def look():
        both.wait()
        seen[threading.current_thread()] = os.sched_getaffinity(0)

    try:
        for core in sorted(allowed)[:2]:
            os.sched_setaffinity(0, {core})
            seen.clear()
            run(team, [[(look, ())], [(look, ())]])
            assert seen.pop(threading.current_thread()) == {core}
            assert list(seen.values()) == [allowed - {core}]
            team._alone_until = 0.0
    finally:
        os.sched_setaffinity(0, allowed)


def test_helpers_leave_with_their_team():
    team = Team(3)
    run(team, marks(4, []))
    helpers = team._helpers
    assert [helper.is_alive() for helper in helpers] == [True, True]
    del team
    gc.collect()
    for helper in helpers:
        helper.join(20)
        assert not helper.is_alive()


def test_whoever_finds_the_helpers_taken_works_alone():
    team, done = Team(2), []
    with team.taken() as mine:
        assert mine
        with team.taken() as again:
            assert not again
        run(team, [[(lambda: done.append(threading.current_thread()), ())] for _ in range(4)])
    assert set(done) == {threading.current_thread()}


def test_late_helpers_are_left_alone_for_a_while(monkeypatch):
    monkeypatch.setattr(teams, "RELUCTANCE", 1000)
    monkeypatch.setattr(teams, "LONGEST_ALONE", 100.0)
    team, both, caller = Team(2), threading.Barrier(2, timeout=20), threading.current_thread()
    seen = []

    def meet():
        both.wait()
        seen.append(threading.current_thread())
        if threading.current_thread() is not caller:
            time.sleep(0.3)  # the caller is done at once, and waits

    run(team, [[(meet, ())], [(meet, ())]])
    assert len(set(seen)) == 2
    for _ in range(2):
        seen.clear()
        run(team, [[(lambda: seen.append(threading.current_thread()), ())] for _ in range(4)])
        assert set(seen) == {caller}
    team._alone_until = 0.0  # later
    seen.clear()
    run(team, [[(meet, ())], [(meet, ())]])
    assert len(set(seen)) == 2, "they get another chance"


def test_compiling_does_not_count_as_time_lost(monkeypatch):
    compiled = []

    def watch(flags, place, value):
        if not compiled:
            compiled.append(time.sleep(0.2))

    monkeypatch.setattr(teams, "watch", watch)
    monkeypatch.setattr(teams, "LONGEST_ALONE", 100.0)
    team, both = Team(2), threading.Barrier(2, timeout=20)
    run(team, [[(both.wait, ())], [(both.wait, ())]])
    assert compiled
    assert team._alone_until < time.perf_counter() + 0.1 * teams.RELUCTANCE


def test_one_long_pause_does_not_end_the_help():
    team = Team(2)
    team._account(10.0, -50.0)
    assert team._alone_until == 10.0 + teams.LONGEST_ALONE


def test_what_a_helper_raises_reaches_the_caller():
    both = threading.Barrier(2, timeout=20)

    def fail():
        both.wait()
        if threading.current_thread() is not threading.main_thread():
            raise KeyError("helper")

    with pytest.raises(KeyError, match="helper"):
        run(Team(2), [[(fail, ())], [(fail, ())]])


@pytest.mark.parametrize("window", [2, 3])
def test_answers_have_the_same_bits_for_any_number_of_threads(tmp_path, monkeypatch, window):
    monkeypatch.setattr(weighted, "PARALLEL_WORK", 0)
    monkeypatch.setattr(pooling, "PARALLEL_PIXELS", 0)
    rng = np.random.default_rng(0)
    nodes = (
        make_node("conv2d", (0,), {"weight": "c"}, {"padding": (1, 1)}),
        make_node("relu", (1,)),
        make_node("max_pool2d", (2,), {}, {"kernel": (window, window), "stride": (2, 2)}),
        make_node("flatten", (3,)),
        make_node("linear", (4,), {"weight": "l"}),
    )
    side = (32 - window) // 2 + 1
    sparse = lambda *shape: np.where(rng.random(shape) < 0.3, rng.normal(size=shape), 0).astype(np.float32)  # noqa: E731
    write(tmp_path / "m.dcz", Graph((3, 32, 32), nodes, 5), {"c": sparse(33, 3, 3, 3), "l": sparse(50, 33 * side**2)})
    x = rng.normal(size=(3, 3, 32, 32)).astype(np.float32)
    answers = [runtime.load(tmp_path / "m.dcz", threads=threads) for threads in (1, 2, 3)]
    for batch in (x[:1], x):
        bits = {model(batch).tobytes() for model in answers for _ in range(3)}
        assert len(bits) == 1
