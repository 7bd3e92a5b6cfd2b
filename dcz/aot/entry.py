"""The function that callers run: it checks its arguments, and runs a plan for each slice of the batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .assembly import ALIGNMENT, FLOAT_BYTES
from .interface import BAD_ADDRESS, BAD_NUMBER, DONE, End, Interface

_OUTSIDE = """define internal i1 @outside(ptr %x, i64 %count, float %limit) {
entry:
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %after, %body ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %body, label %fine
body:
  %place = getelementptr float, ptr %x, i64 %i
  %value = load float, ptr %place
  %low = fcmp oge float %value, 0.0
  %high = fcmp olt float %value, %limit
  %inside = and i1 %low, %high
  %after = add i64 %i, 1
  br i1 %inside, label %next, label %wrong
fine:
  ret i1 false
wrong:
  ret i1 true
}"""
"""Whether any of some floats is not at least 0 and below a limit, as NaN is not."""


def checks(interface: Interface) -> Iterator[str]:
    """The functions that check inputs of whole numbers."""
    if any(end.below is not None for end in interface.inputs):
        yield _OUTSIDE


def entry(interface: Interface, name: str, parts: Sequence[tuple[int, str]]) -> Iterator[str]:
    """The function in LLVM assembly; it calls what `checks` defines.

    Parameters
    ----------
    interface : Interface
    name : str
        Of the function.
    parts : sequence of (int, str)
        Of each slice of the batch: its first sample, and the function that runs it.
    """
    numbers = [(i, end) for i, end in enumerate(interface.inputs) if end.below is not None]
    pointers = [f"%in{i}" for i in range(len(interface.inputs))]
    pointers += [f"%out{i}" for i in range(len(interface.outputs))]
    parameters = ", ".join(f"ptr {pointer}" for pointer in (*pointers, "%arena"))
    yield f"define i32 @{name}({parameters}) {{"
    yield f"  %address = ptrtoint ptr %arena to i64\n  %rest = and i64 %address, {ALIGNMENT - 1}"
    yield "  %bad0 = icmp ne i64 %rest, 0"
    for i, pointer in enumerate((*pointers, "%arena")):
        yield f"  %null{i} = icmp eq ptr {pointer}, null\n  %bad{i + 1} = or i1 %bad{i}, %null{i}"
    yield f"  br i1 %bad{len(pointers) + 1}, label %bad_address, label %check0"
    for n, (i, end) in enumerate(numbers):
        operands = f"ptr %in{i}, i64 {end.size}, float {end.below}.0"
        yield f"check{n}:\n  %outside{n} = call i1 @outside({operands})"
        yield f"  br i1 %outside{n}, label %bad_number, label %check{n + 1}"
    yield f"check{len(numbers)}:"
    ends = [*zip(pointers, (*interface.inputs, *interface.outputs), strict=True)]
    for start, run in parts:
        yield from _slice(run, start, ends, interface.batch)
    yield f"  ret i32 {DONE}\nbad_address:\n  ret i32 {BAD_ADDRESS}"
    yield f"bad_number:\n  ret i32 {BAD_NUMBER}\n}}" if numbers else "}"


def _slice(name: str, start: int, ends: Sequence[tuple[str, End]], batch: int) -> Iterator[str]:
    """The call for the samples from number `start` on."""
    places = []
    for pointer, end in ends:
        places.append(f"{pointer}.{start}")
        yield f"  {places[-1]} = getelementptr i8, ptr {pointer}, i64 {FLOAT_BYTES * start * end.size // batch}"
    operands = ", ".join(f"ptr {place}" for place in (*places, "%arena"))
    yield f"  call void @{name}({operands})"
