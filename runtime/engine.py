"""The engine of a model: runs batches slice by slice, by compiled programs where there are some, else by plans."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..core.readahead import Content
from .compiled.builtin import builtin
from .compiled.executor import ProgramExecutor
from .compiled.find import find
from .single import single_call
from .slices import LANES, SLICES, slices
from .threads.fork import after_fork

if TYPE_CHECKING:
    from ..dcformat import Container, Graph
    from .compiled.program import Program
    from .facts import Facts
    from .kernels.contract import F32
    from .network import Network
    from .plan.plan import Plan
    from .plan.tuning import Tuning
    from .threads.team import Team
    from .threads.workers import Workers

PARALLEL_BYTES = 1 << 20
"""Least size in bytes of a container whose layers are packed in several threads. For a small one, packing is mostly
Python code, and threads would wait for each other."""


class Runs(Protocol):
    """An executor of a plan or of a compiled program. Serves one caller at a time."""

    def run(self, batch: Sequence[F32], out: Sequence[F32]) -> None:
        """Run the network once."""


class Engine:
    """Runs a network. Thread-safe.

    Where a compiled program is found, the container is opened only for what else is asked of it, and Numba is not
    imported. Answers are equal, bit by bit.

    Parameters
    ----------
    content : Content
        Of the container; kept, as it is small, and later plans decode the weights again.
    name : str
        Of the container, for messages.
    threads : int
    tuning : path or None
        As for `dcz.load`. Programs are compiled without such a file, so none is used with one.
    precision : str
        As for `dcz.load`.
    """

    def __init__(
        self, content: Content, name: str, threads: int, tuning: str | os.PathLike[str] | None, precision: str
    ) -> None:
        self._content, self._name, self._threads, self._precision = content, name, threads, precision
        self._tuning_path = tuning
        self._programs = find(content, precision) if tuning is None else None
        self._plans: dict[int, Plan] = {}
        self._idle: dict[int, deque[Runs]] = {size: deque(maxlen=threads) for size in SLICES}
        self._renew()
        after_fork(self, Engine._renew)
        if self._programs is None:
            _ = self.network  # what is wrong with the container shows now

    @cached_property
    def facts(self) -> Facts:
        """What the model tells about itself."""
        if self._programs is not None:
            return self._programs.single.facts
        from .facts import facts_of

        return facts_of(self.network, self.plan(1))

    @cached_property
    def container(self) -> Container:
        """The container, open."""
        from ..dcformat.container.reader import open

        return open(self._content, self._name)

    @property
    def graph(self) -> Graph:
        """The container's graph."""
        graph = self.container.graph
        assert graph is not None  # what has none was refused
        return graph

    @cached_property
    def network(self) -> Network:
        """The container's network."""
        from .network import Network

        return Network(self.container, self._precision)

    def plan(self, size: int) -> Plan:
        """The plan for slices of a size."""
        with self._planning:
            if size not in self._plans:
                packers = self._threads if self.container.file_bytes >= PARALLEL_BYTES else 1
                self._plans[size] = self.network.plan(size, self._team, packers, self._tuning)
                if self._tuning is not None:
                    self._tuning.save()
            return self._plans[size]

    def answers(self, x: list[F32]) -> list[F32]:
        """Run the network.

        Parameters
        ----------
        x : list of ndarray of float32, shapes ``(N, *shape)``
            One array an input, as `dcz.runtime.arguments.Arguments` gives them.

        Returns
        -------
        list of ndarray of float32, shapes ``(N, *shape)``
            One array an output.
        """
        samples = len(x[0])
        out = [np.empty((samples, *shape), dtype=np.float32) for shape in self.facts.outputs.values()]
        if samples == 1:  # such a call may take microseconds
            self._run(1, x, out)
            return out
        waiting = deque(self.slices(samples))
        while waiting and waiting[0][1] == LANES and samples < LANES * self._threads:
            start, size = waiting.popleft()  # too few slices for all threads, so threads share layers
            self._run(size, part_of(x, start, size), part_of(out, start, size))
        calls = [partial(self._run, n, part_of(x, start, n), part_of(out, start, n)) for start, n in waiting]
        if self._threads > 1 and len(calls) > 1:
            with self._team.taken():  # all cores are busy with slices
                self._workers.run(calls)
        else:
            for call in calls:
                call()
        return out

    def single_call(self) -> Callable[..., F32 | None]:
        """A function that answers for one sample of a network of one input and one output; None where it may not."""
        facts = self.facts
        if not facts.one_to_one:
            return _nothing
        program = None if self._programs is None else self._programs.single
        if program is not None and not self._is_shared(program) and (answer := builtin(program)) is not None:
            return answer
        (given,), (made,) = facts.inputs.values(), facts.outputs.values()
        return single_call(given, made, self._idle[1], partial(self._executor, 1))

    def slices(self, samples: int) -> Iterator[tuple[int, int]]:
        """Cut a batch into slices, (start, size)."""
        return slices(samples, self._threads, self.facts.sizes)

    def _run(self, size: int, batch: list[F32], out: list[F32]) -> None:
        idle = self._idle[size]
        try:
            executor = idle.pop()
        except IndexError:
            executor = self._executor(size)
        executor.run(batch, out)
        idle.append(executor)

    def _executor(self, size: int) -> Runs:
        program = None if self._programs is None else self._programs.get(size)
        if program is not None:
            return ProgramExecutor(program, self._team if self._is_shared(program) else None)
        from .execute.executor import Executor

        return Executor(self.plan(size))

    def _is_shared(self, program: Program) -> bool:
        """Whether threads share stages of a program."""
        return program.shares and self._threads > 1

    @cached_property
    def _team(self) -> Team:
        """Threads that share layers."""
        from .threads.team import Team

        return Team(self._threads, None if self._programs is None else self._programs.single.watch)

    @cached_property
    def _workers(self) -> Workers:
        """Threads that share slices."""
        from .threads.workers import Workers

        return Workers(self._threads)

    @cached_property
    def _tuning(self) -> Tuning | None:
        if self._tuning_path is None:
            return None
        from .plan.tuning import Tuning

        return Tuning(self._tuning_path)

    def _renew(self) -> None:
        """Make new threads and locks: at first, and in a process forked from the one that loaded."""
        self._planning = threading.Lock()
        self.__dict__.pop("_workers", None)


def _nothing(*batch: object) -> None:
    """Stands for a function for single samples."""


def part_of(arrays: list[F32], start: int, samples: int) -> list[F32]:
    """Some samples of each array."""
    return [array[start : start + samples] for array in arrays]
