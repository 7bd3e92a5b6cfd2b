"""Programs: nothing but data runs, and it can be written down, read, and run in any arena."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import graphs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.dcformat import Dense, infer_shapes
from dcz.runtime.execute.executor import Executor
from dcz.runtime.plan.plan import Plan, plan
from dcz.runtime.plan.steps import pool, weighted
from dcz.runtime.program import Buffer, Constant, Instruction, Parallel, Program, Recorder, resolve
from dcz.runtime.threads.team import Team

NUMBERS = int, float, bool, np.generic


def make(seed: int, lanes: int = 1, threads: int = 1) -> Plan:
    """The plan of a random graph."""
    graph, tensors = graphs.random_graph(seed)
    shapes = infer_shapes(graph, {name: array.shape for name, array in tensors.items()})
    return plan(graph, shapes, lambda name: Dense(tensors[name], "F32"), lanes, Team(threads), lanes=lanes)


def instructions(program: Program) -> Iterator[Instruction]:
    for step in program.steps:
        for operation in step:
            if isinstance(operation, Parallel):
                yield from (each for part in (*operation.parts, operation.whole) for each in part)
            else:
                yield operation


def written(program: Program) -> bytes:
    """A program as bytes, kernels by their names."""

    def instruction(it: Instruction) -> Any:
        return (it.kernel.__module__, it.kernel.__qualname__), it.arguments

    def operation(it: Instruction | Parallel) -> Any:
        if isinstance(it, Parallel):
            return [[instruction(each) for each in part] for part in it.parts], [*map(instruction, it.whole)]
        return instruction(it)

    steps = [[(type(it) is Parallel, operation(it)) for it in step] for step in program.steps]
    return pickle.dumps((program.elements, steps, program.constants))


def read(data: bytes) -> Program:
    elements, steps, constants = pickle.loads(data)

    def instruction(it: Any) -> Instruction:
        (module, name), arguments = it
        return Instruction(getattr(sys.modules[module], name), arguments)

    def operation(parallel: bool, it: Any) -> Instruction | Parallel:
        if parallel:
            return Parallel([[*map(instruction, part)] for part in it[0]], [*map(instruction, it[1])])
        return instruction(it)

    return Program(elements, [[operation(*it) for it in step] for step in steps], constants)


def run(planned: Plan, x: np.ndarray) -> np.ndarray:
    out = np.empty((planned.batch, *planned.shapes[planned.outputs[0]]), dtype=np.float32)
    Executor(planned).run([x], [out])
    return out


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), lanes=st.sampled_from([1, 16]))
def test_every_argument_is_data(seed: int, lanes: int) -> None:
    program = make(seed, lanes).program
    for kernel, arguments in instructions(program):
        assert kernel.__module__.startswith("dcz.runtime.kernels.")
        for value in arguments:
            if isinstance(value, Buffer):
                last = sum((size - 1) * step for size, step in zip(value.shape, value.strides, strict=True))
                assert 0 <= value.offset <= value.offset + last <= 4 * program.elements
            elif isinstance(value, Constant):
                assert 0 <= value.number < len(program.constants)
            else:
                assert isinstance(value, NUMBERS) or (isinstance(value, tuple) and set(value) <= {None})


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), lanes=st.sampled_from([1, 16]))
def test_a_program_that_was_written_down_gives_the_same_bits(seed: int, lanes: int) -> None:
    planned = make(seed, lanes)
    again = replace(planned, program=read(written(planned.program)))
    x = np.random.default_rng(seed).standard_normal((lanes, *planned.shapes[0])).astype(np.float32)
    assert run(planned, x).tobytes() == run(again, x).tobytes()


def test_parallel_parts_are_data_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weighted, "PARALLEL_WORK", 0)
    monkeypatch.setattr(pool, "PARALLEL_PIXELS", 0)
    planned = make(3, threads=2)
    assert any(isinstance(operation, Parallel) for step in planned.program.steps for operation in step)
    x = np.random.default_rng(0).standard_normal((1, *planned.shapes[0])).astype(np.float32)
    again = replace(planned, program=read(written(planned.program)), team=Team(1))
    assert run(planned, x).tobytes() == run(again, x).tobytes()


def test_views_of_an_arena_are_buffers_and_other_arrays_constants() -> None:
    recorder, other = Recorder(32), np.arange(3)
    view = recorder.arena[4:28].reshape(2, 3, 4)[:, 1:, ::2]
    recorder.add_step([(print, (view, other, other, 5, (None,), recorder.arena.view(np.uint16)[7:]))])
    ((instruction,),) = recorder.program.steps
    assert isinstance(instruction, Instruction)
    assert instruction.arguments[1:5] == (Constant(0), Constant(0), 5, (None,))
    arena = np.arange(32, dtype=np.float32)
    (((_, found),),) = resolve(recorder.program, arena)
    np.testing.assert_array_equal(found[0], arena[4:28].reshape(2, 3, 4)[:, 1:, ::2])
    np.testing.assert_array_equal(found[5], arena.view(np.uint16)[7:])
    found[0][...] = 0
    assert np.count_nonzero(arena) == 31 - 8
    assert found[1] is found[2] is other
