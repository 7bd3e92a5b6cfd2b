"""The function by which Python calls a program, in LLVM assembly: `dcz.runtime.compiled.builtin` tells what it does."""

from __future__ import annotations

from collections.abc import Iterator

from ..dcformat import Shape
from ..runtime.compiled.builtin import DATA, DIMENSIONS, DTYPE, FLAGS, FLOAT32, PLAIN, SHAPE, TYPE, Context, place


def builtin(name: str, run: str, given: Shape, made: Shape, elements: int) -> Iterator[str]:
    """The function, for a network of one input and one output.

    Parameters
    ----------
    name : str
        Of the function.
    run : str
        The function that it calls, ``@RUN(input, output, arena)``.
    given, made : tuple of int
        Shapes of the arrays that it takes and gives.
    elements : int
        Of the arena, in float32.
    """
    shape = ", ".join(f"i64 {n}" for n in made)
    yield f"@{name}.shape = private unnamed_addr constant [{len(made)} x i64] [{shape}]"
    yield f"define ptr @{name}(ptr %self, ptr %arguments, i64 %count) {{"
    yield from _load("arena", "self", DATA)
    yield f"  %context = getelementptr i8, ptr %arena, i64 {place(elements)}"
    yield "  %one = icmp eq i64 %count, 1\n  br i1 %one, label %look, label %refuse"
    yield "look:\n  %x = load ptr, ptr %arguments"
    yield from _load("type", "x", TYPE)
    yield from _field("ndarray")
    yield "  %array = icmp eq ptr %type, %ndarray\n  br i1 %array, label %measure, label %refuse"
    yield "measure:"
    yield from _load("dimensions", "x", DIMENSIONS, "i32")
    yield f"  %level = icmp eq i32 %dimensions, {len(given)}\n  br i1 %level, label %compare, label %refuse"
    yield "compare:"
    yield from _load("dtype", "x", DTYPE)
    yield from _field("float32")
    yield from _load("flags", "x", FLAGS, "i32")
    yield f"  %set = and i32 %flags, {PLAIN}\n  %plain = icmp eq i32 %set, {PLAIN}"
    yield "  %floats = icmp eq ptr %dtype, %float32\n  %fit0 = and i1 %plain, %floats"
    yield from _load("lengths", "x", SHAPE)
    for i, length in enumerate(given):
        yield from _load(f"length{i}", "lengths", 8 * i, "i64")
        yield f"  %same{i} = icmp eq i64 %length{i}, {length}\n  %fit{i + 1} = and i1 %fit{i}, %same{i}"
    yield f"  br i1 %fit{len(given)}, label %take, label %refuse"
    yield "take:\n  %taken = cmpxchg ptr %context, i64 0, i64 1 acquire monotonic"
    yield "  %mine = extractvalue { i64, i1 } %taken, 1\n  br i1 %mine, label %make, label %refuse"
    yield "make:"
    yield from _field("new")
    new = f"ptr %ndarray, i32 {len(made)}, ptr @{name}.shape, i32 {FLOAT32}, ptr null, ptr null, i32 0, i32 0, ptr null"
    yield f"  %out = call ptr %new({new})\n  %none = icmp eq ptr %out, null\n  br i1 %none, label %end, label %run"
    yield "run:"
    yield from _load("from", "x", DATA)
    yield from _load("to", "out", DATA)
    yield from _field("release")
    yield from _field("acquire")
    yield "  %thread = call ptr %release()"
    yield f"  call void @{run}(ptr %from, ptr %to, ptr %arena)"
    yield "  call void %acquire(ptr %thread)\n  br label %end"
    yield "end:\n  store atomic i64 0, ptr %context release, align 8\n  ret ptr %out"
    yield "refuse:"
    yield from _field("none", "nothing")
    yield from _field("keep")
    yield "  call void %keep(ptr %nothing)\n  ret ptr %nothing\n}"


def _load(name: str, base: str, offset: int, kind: str = "ptr") -> Iterator[str]:
    """Load a value from an offset behind an address."""
    yield f"  %{name}.at = getelementptr i8, ptr %{base}, i64 {offset}\n  %{name} = load {kind}, ptr %{name}.at"


def _field(field: str, name: str | None = None) -> Iterator[str]:
    """Load a field of the context."""
    return _load(name or field, "context", getattr(Context, field).offset)
