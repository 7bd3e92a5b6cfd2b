"""The choice of a level of x86-64 at run time, in LLVM assembly: by ``cpuid``, once, and kept in one number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import or_

from ..core.levels import EAX, ECX, LEVELS, Feature
from .interface import BAD_PROCESSOR, Interface, text_function

_ANSWER = "{ i32, i32, i32, i32 }"
_CPUID = 'asm sideeffect "cpuid", "={ax},={bx},={cx},={dx},0,2,~{dirflag},~{fpsr},~{flags}"'
_XGETBV = 'asm sideeffect "xgetbv", "={ax},={dx},{cx},~{dirflag},~{fpsr},~{flags}"'
_OSXSAVE = 1 << 27
"""Bit of ECX of leaf 1: the system says by ``xgetbv`` what registers it saves."""
_YMM, _ZMM = 0x06, 0xE6
"""What it has to save for vectors of 256 and of 512 bits."""

_STATE = f"""@level = internal global i32 0
define internal i32 @saved_registers(i32 %ecx) {{
  %bit = and i32 %ecx, {_OSXSAVE}
  %tells = icmp ne i32 %bit, 0
  br i1 %tells, label %ask, label %none
ask:
  %both = call {{ i32, i32 }} {_XGETBV}(i32 0)
  %low = extractvalue {{ i32, i32 }} %both, 0
  ret i32 %low
none:
  ret i32 0
}}
define internal i32 @register(i32 %leaf, i32 %register) {{
  %group = and i32 %leaf, 2147483648
  %ends = call {_ANSWER} {_CPUID}(i32 %group, i32 0)
  %last = extractvalue {_ANSWER} %ends, {EAX}
  %there = icmp ule i32 %leaf, %last
  br i1 %there, label %ask, label %none
ask:
  %answer = call {_ANSWER} {_CPUID}(i32 %leaf, i32 0)
  %b = extractvalue {_ANSWER} %answer, 1
  %c = extractvalue {_ANSWER} %answer, {ECX}
  %is_c = icmp eq i32 %register, {ECX}
  %value = select i1 %is_c, i32 %c, i32 %b
  ret i32 %value
none:
  ret i32 0
}}"""
"""How many levels were met, plus 1; registers that the system saves; a register of a leaf, 0 beyond the last leaf."""


def dispatch(interface: Interface) -> Iterator[str]:
    """The function ``run``, which calls that of the highest level that the processor has, and ``target``, its name.

    Parameters
    ----------
    interface : Interface
        Of several targets, each with the features of those before it.
    """
    yield _STATE
    yield from _finding([LEVELS[level] for level in interface.targets])
    names = [f"%in{i}" for i in range(len(interface.inputs))]
    names += [f"%out{i}" for i in range(len(interface.outputs))]
    operands = ", ".join(f"ptr {name}" for name in (*names, "%arena"))
    run, target = interface.prefix + "run", interface.prefix + "target"
    texts = [f"{target}.{number}" for number in range(len(interface.targets))]
    for name, level in zip(texts, interface.targets, strict=True):
        yield from text_function(name, level)
    yield from _switch("i32", run, operands, interface.runs, str(BAD_PROCESSOR))
    yield from _switch("ptr", target, "", texts, "null")


def _finding(levels: Sequence[Sequence[Feature]]) -> Iterator[str]:
    """The function ``@levels_met``: how many of the levels the processor has; found at the first call."""
    yield "define internal i32 @levels_met() {"
    yield "  %kept = load atomic i32, ptr @level monotonic, align 4\n  %known = icmp ne i32 %kept, 0"
    yield "  br i1 %known, label %done, label %find\ndone:\n  %found = sub i32 %kept, 1\n  ret i32 %found\nfind:"
    places = sorted({(feature.leaf, feature.register) for level in levels for feature in level})
    for leaf, register in places:
        yield f"  %r{leaf}.{register} = call i32 @register(i32 {_signed(leaf)}, i32 {register})"
    yield f"  %saved = call i32 @saved_registers(i32 %r1.{ECX})"
    met = []
    for number, level in enumerate(levels):
        needs = defaultdict[str, list[int]](list)
        for feature in level:
            needs[f"%r{feature.leaf}.{feature.register}"].append(1 << feature.bit)
        needs["%saved"].append(_saved(level))
        yield from _has_all(f"%met{number}", {value: reduce(or_, bits) for value, bits in needs.items()})
        met.append(f"%met{number}")
    yield "  %sum0 = add i32 0, 1"
    for number, each in enumerate(met):
        yield f"  %one{number} = zext i1 {each} to i32\n  %sum{number + 1} = add i32 %sum{number}, %one{number}"
    yield f"  store atomic i32 %sum{len(met)}, ptr @level monotonic, align 4"
    yield f"  %count = sub i32 %sum{len(met)}, 1\n  ret i32 %count\n}}"


def _saved(level: Sequence[Feature]) -> int:
    names = {feature.name for feature in level}
    return _ZMM if "avx512f" in names else _YMM if "avx" in names else 0


def _has_all(name: str, needs: dict[str, int]) -> Iterator[str]:
    """Whether each value has all bits of its mask."""
    before = "true"
    for number, (value, mask) in enumerate(needs.items()):
        yield f"  {name}.a{number} = and i32 {value}, {_signed(mask)}"
        yield f"  {name}.b{number} = icmp eq i32 {name}.a{number}, {_signed(mask)}"
        yield f"  {name}.c{number} = and i1 {before}, {name}.b{number}"
        before = f"{name}.c{number}"
    yield f"  {name} = and i1 {before}, true"


def _switch(kind: str, name: str, operands: str, functions: Sequence[str], otherwise: str) -> Iterator[str]:
    """A function that returns the result of the function of the level."""
    cases = " ".join(f"i32 {number}, label %is{number}" for number in range(1, len(functions) + 1))
    yield f"define {kind} @{name}({operands}) {{\n  %met = call i32 @levels_met()"
    yield f"  switch i32 %met, label %none [ {cases} ]"
    for number, function in enumerate(functions, 1):
        yield f"is{number}:\n  %y{number} = tail call {kind} @{function}({operands})\n  ret {kind} %y{number}"
    yield f"none:\n  ret {kind} {otherwise}\n}}"


def _signed(value: int) -> int:
    return value - (1 << 32) if value >= 1 << 31 else value
