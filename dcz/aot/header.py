"""The C header of a compiled model."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ..dcformat import Preprocess
from .assembly import ALIGNMENT
from .interface import BAD_ADDRESS, BAD_NUMBER, BAD_PROCESSOR, DONE, End, Interface


def header(interface: Interface, guard: str) -> str:
    """The text of the header.

    Parameters
    ----------
    interface : Interface
    guard : str
        Name of its include guard.
    """
    p, caps = interface.prefix, interface.prefix.upper()
    ends = (*interface.inputs, *interface.outputs)
    sizes = [f"#define {caps}{end.parameter.upper()}_SIZE {end.size} /* floats */" for end in ends]
    pixels = [] if interface.preprocess is None else _pixels(caps, interface.preprocess)
    numbers = "\n".join((*sizes, *pixels))
    parameters = [f"const float *{end.parameter}" for end in interface.inputs]
    parameters += [f"float *{end.parameter}" for end in interface.outputs]
    declared = ", ".join((*parameters, "void *arena"))
    levels = _levels(interface, declared) if len(interface.targets) > 1 else ""
    return f"""/* {_comment(interface.network)}, compiled for {interface.target} by dcz {interface.version}.
 * Do not edit.
 *
{_lines(_about(interface))}
 */
#ifndef {guard}
#define {guard}

#include <stddef.h>

#ifdef __cplusplus
extern "C" {{
#endif

#define {caps}BATCH {interface.batch} /* samples a call */
{numbers}
#define {caps}ARENA_SIZE {interface.arena_bytes} /* bytes */
#define {caps}ARENA_ALIGNMENT {ALIGNMENT} /* bytes */
#define {caps}LABELS {len(interface.labels)}

#define {caps}DONE {DONE}
#define {caps}BAD_ADDRESS {BAD_ADDRESS} /* an address is NULL, or the arena is not aligned */
#define {caps}BAD_NUMBER {BAD_NUMBER} /* an input that takes whole numbers holds one out of its range */
#define {caps}BAD_PROCESSOR {BAD_PROCESSOR} /* the processor has none of the levels that this was compiled for */

/* Run the network once; returns {caps}DONE, or one of the errors above, after which outputs are unchanged.
 * Nothing else is written than the outputs and the arena, so threads may call it at once, each with its own. */
int {p}run({declared});
{levels}
/* The target that {p}run is compiled for; NULL where the processor has none of its levels. */
const char *{p}target(void);

/* The sizes above at run time: floats of the input or output of a number, 0 where there is none; bytes. */
size_t {p}input_size(int number);
size_t {p}output_size(int number);
size_t {p}arena_size(void);

/* Names of inputs, outputs and classes by number, UTF-8; NULL where there is none. */
const char *{p}input_name(int number);
const char *{p}output_name(int number);
const char *{p}label(int number);

/* Version of dcz, name of the network, and all facts as JSON. */
const char *{p}version(void);
const char *{p}network(void);
const char *{p}description(void);

#ifdef __cplusplus
}}
#endif

#endif
"""


def _levels(interface: Interface, parameters: str) -> str:
    """What is said of levels, and the functions that run one of them."""
    runs = "\n".join(f"int {run}({parameters});" for run in interface.runs)
    return f"""
/* {interface.prefix}run takes the highest level that the processor has: it asks the processor at the first call, and
 * keeps the answer in the one number that this file writes. These take a level without asking. */
{runs}
"""


def _pixels(caps: str, steps: Preprocess) -> Iterator[str]:
    """Macros for what becomes of a pixel."""
    mean, std = (", ".join(map("{!r}f".format, values)) for values in (steps.mean, steps.std))
    yield f"#define {caps}PIXEL_SCALE {steps.scale!r}f /* an input is (pixel * scale - mean) / std, by channel */"
    yield f"#define {caps}PIXEL_MEAN {{ {mean} }}"
    yield f"#define {caps}PIXEL_STD {{ {std} }}"


def _about(interface: Interface) -> Iterator[str]:
    for end in interface.inputs:
        yield f"{end.parameter}: {_shape(end)}"
    for end in interface.outputs:
        yield f"{end.parameter}: {_shape(end)}"
    yield f"arena: {interface.arena_bytes} bytes at a multiple of {ALIGNMENT}; its content does not matter."
    if interface.preprocess is not None:
        yield from _images(interface.preprocess)


def _shape(end: End) -> str:
    holds = "floats" if end.below is None else f"whole numbers as floats, 0 to {end.below - 1}"
    return f"{end.name!r}, {holds}, shape ({', '.join(map(str, end.shape))}), the last axis contiguous."


def _images(steps: Preprocess) -> Iterator[str]:
    if steps.resize is not None:
        yield f"Images are resized to {steps.resize} (an int: the shorter side), {steps.interpolation}."
    if steps.crop is not None:
        yield f"They are cropped to {steps.crop} (height, width) from the centre."
    yield f"Pixels are of mode {steps.mode}, 0 to 255; the axes of an input are sample, channel, row, column."


def _lines(paragraphs: Iterator[str]) -> str:
    lines = (line for text in paragraphs for line in textwrap.wrap(_comment(text), 110))
    return "\n".join(f" * {line}" for line in lines)


def _comment(text: str) -> str:
    """A text that does not end a comment, on one line."""
    return " ".join(text.split()).replace("*/", "* /")
