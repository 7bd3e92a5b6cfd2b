"""Tracing a module with ``torch.export``, and what is the case when that fails: each cause by its name."""

from __future__ import annotations

import io
import logging
import re
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode
from torch.nn.parameter import is_lazy

from ....dcformat import ConversionError
from ..inputs import Asked
from .arguments import bound, in_order

BATCH = 2
"""Two samples: with one, an operator that mixes the batch would go unseen."""
_ABOUT_SIZES = re.compile(r"\b(shapes?|sizes?|dim|dimensions?|channels?|elements?|[1-5]D)\b")
_ABOUT_IDS = re.compile(r"\b(Long|Int|long, int|indices)\b")
_UNKNOWN_ANSWER = re.compile(r"Found <class '([^']+)'> in output")
_TORCH = Path(torch.__file__).parent


def trace(module: nn.Module, asked: Sequence[Asked]) -> tuple[ExportedProgram, list[str] | None, list[str]]:
    """Trace a module in eval mode on a batch of two; on a single sample, if it takes no more than one.

    Parameters
    ----------
    module : nn.Module
        Its mode is restored. The ``meta`` device will do.
    asked : sequence of Asked
        The inputs. Those with a name are given by name. For one of no element type, floats come first, then integers.

    Returns
    -------
    program : ExportedProgram
    names : list of str or None
        What the inputs are called, where the user or forward says so.
    messages : list of str
        What the user should know.

    Raises
    ------
    ConversionError
        torch cannot trace it: says why.
    """
    _check(module)
    asked = in_order(module, asked)
    with _eval_mode(module), _attributes_kept(module), torch.no_grad(), quiet():
        try:
            program, messages = _export(module, asked)
        except _NotTraced as failed:
            if not _ABOUT_IDS.search(str(failed.reason)) or all(one.dtype for one in asked):
                raise _refusal(module, failed.examples, failed.reason) from failed.reason
            asked = _with_ids(module, asked, failed)
            program, messages = _export(module, asked)
            messages.append(f"takes integers, as is found by trying: {', '.join(map(str, asked))}")
    alone = len(asked) == 1 and asked[0].name is None
    return program, None if alone else bound(module, asked), messages


@contextmanager
def _attributes_kept(module: nn.Module) -> Iterator[None]:
    """Put attributes back: a forward that keeps some, such as anchors, is left with tensors without data by tracing."""
    before = [(child, dict(vars(child))) for child in module.modules()]
    try:
        yield
    finally:
        for child, attributes in before:
            vars(child).clear()
            vars(child).update(attributes)


class _NotTraced(Exception):  # noqa: N818
    """torch cannot trace a module."""

    def __init__(self, examples: list[Tensor], reason: Exception) -> None:
        super().__init__()
        self.examples, self.reason = examples, reason


def _export(module: nn.Module, asked: Sequence[Asked]) -> tuple[ExportedProgram, list[str]]:
    first = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
    dtypes = [torch.int64 if one.dtype == "I64" else first.dtype for one in asked]
    shapes = [(BATCH, *one.shape) for one in asked]
    examples = [torch.zeros(s, dtype=d, device=first.device) for s, d in zip(shapes, dtypes, strict=True)]
    by_name = {one.name: x for one, x in zip(asked, examples, strict=True) if one.name is not None}
    in_turn = tuple(x for one, x in zip(asked, examples, strict=True) if one.name is None)

    def export(samples: int) -> ExportedProgram:
        given = {name: x[:samples] for name, x in by_name.items()}
        return torch.export.export(module, tuple(x[:samples] for x in in_turn), given, strict=False)

    try:
        return export(BATCH), []
    except Exception as error:  # whatever the module's own forward may raise
        reason = error
    try:
        program = export(1)
    except Exception:
        raise _NotTraced(examples, reason) from None
    return program, [f"the network takes one sample at a time ({first_line(reason)}); a batch is answered one by one"]


def _with_ids(module: nn.Module, asked: Sequence[Asked], failed: _NotTraced) -> Sequence[Asked]:
    """The inputs with integers where the network needs them: each input alone is tried, then all."""
    open_ = [i for i, one in enumerate(asked) if one.dtype is None]
    for chosen in dict.fromkeys([*((i,) for i in open_), tuple(open_)]):
        tried = [replace(one, dtype="I64") if i in chosen else one for i, one in enumerate(asked)]
        try:
            _export(module, tried)
        except _NotTraced:
            continue
        return tried
    raise _refusal(module, failed.examples, failed.reason) from failed.reason


def check_values(module: nn.Module) -> None:
    """Refuse a module whose tensors have no values.

    Raises
    ------
    ConversionError
    """
    tensors = (*module.named_parameters(), *module.named_buffers())
    empty = next((name for name, tensor in tensors if not is_lazy(tensor) and tensor.is_meta), None)
    if empty is not None:
        raise ConversionError(
            "the network's tensors are on the meta device, which keeps no values",
            found=repr(empty),
            hint="load its weights: model.load_state_dict(torch.load('model.pt'), assign=True)",
        )


def first_line(error: BaseException) -> str:
    """Kind and first line of an error that is not ours."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


@contextmanager
def quiet() -> Iterator[None]:
    """Without what torch's exporter says on its own: warnings, log lines, and the graph so far where it fails."""
    loggers = [
        logger
        for name, logger in logging.root.manager.loggerDict.items()
        if name.partition(".")[0] == "torch" and isinstance(logger, logging.Logger) and not logger.disabled
    ]
    for logger in loggers:
        logger.disabled = True
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger in loggers:
            logger.disabled = False


@contextmanager
def _eval_mode(module: nn.Module) -> Iterator[None]:
    training = {child: child.training for child in module.modules()}
    try:
        module.eval()
    except NotImplementedError:  # the module of an exported program has but one mode
        for child in training:
            child.training = False
    try:
        yield
    finally:
        for child, was_training in training.items():
            child.training = was_training


def _check(module: nn.Module) -> None:
    """Refuse what cannot be traced, whatever the input."""
    for name, child in module.named_modules():
        where = f"in {name!r}" if name else None
        if isinstance(child, torch.jit.ScriptModule):
            raise ConversionError(
                "a ScriptModule holds compiled code, which torch.export does not trace",
                where=where,
                hint="convert the nn.Module that it was made from, or its state dict with --arch pkg.module:factory",
            )
        if ".quantized" in type(child).__module__ and type(child).__module__.startswith("torch."):
            raise ConversionError(
                "torch has quantized the network, which has no plain weights any more",
                where=where,
                found=type(child).__name__,
                hint="convert the network as it was before, with --bits 8",
            )
    lazy = next((name for name, parameter in module.named_parameters() if is_lazy(parameter)), None)
    if lazy is not None:
        raise ConversionError(
            "the network has lazy layers, whose sizes are not known yet",
            found=repr(lazy),
            hint="run it once on a batch, model(x), before it is converted",
        )


def _refusal(module: nn.Module, examples: Sequence[Tensor], error: Exception) -> ConversionError:
    shapes = " and ".join(str(list(example.shape)) for example in examples)
    what = f"the network cannot be traced on an input of shape {shapes}"
    key = _key_read(module)
    if key is not None:
        return ConversionError(
            f"the network takes a dictionary: forward reads {key!r} of its input",
            expected="one tensor",
            hint="wrap it in a module whose forward takes a tensor and makes the dictionary",
        )
    if isinstance(error, GuardOnDataDependentSymNode):
        of_a_mask = "_detect_is_causal_mask" in _frames(error)
        same = "dcz converts networks that do the same for every input"
        return ConversionError(
            f"{what}: what forward does depends on the values in a tensor (if, while, item())",
            where=_place(error),
            hint="tell torch what the mask is: is_causal=True (tgt_is_causal=True)" if of_a_mask else same,
        )
    if found := _UNKNOWN_ANSWER.search(str(error)):
        return ConversionError(
            f"{what}: the answer is an object that torch.export does not know",
            found=found[1],
            hint="answer with a tensor, tuple or dict; or, for a data class: torch.export.register_dataclass(...)",
        )
    about_sizes = _ABOUT_SIZES.search(str(error)) and not isinstance(error, NotImplementedError)
    hint = "check the input shape (--input-shape)" if about_sizes else None
    return ConversionError(f"{what}: {first_line(error)}", where=_place(error), hint=hint)


class _KeyRead(Exception):  # noqa: N818
    """What a forward looked up in its input."""


class _Dictionary:
    """An input that tells what is looked up in it."""

    def __getitem__(self, key: Any) -> Any:
        raise _KeyRead(key) if isinstance(key, str) else TypeError("not a dictionary's key")


def _key_read(module: nn.Module) -> str | None:
    """The key that forward looks up first, if it takes a dictionary."""
    try:
        module(_Dictionary())
    except _KeyRead as found:
        return str(found)
    except Exception:  # it does something else with its input
        return None
    return None


def _frames(error: Exception) -> set[str]:
    """Names of the functions that an error went through."""
    return {frame.name for frame in traceback.extract_tb(error.__traceback__)}


def _place(error: Exception) -> str | None:
    """The line outside torch that an error comes from."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if _TORCH not in Path(frame.filename).parents and frame.filename != __file__ and frame.line
    ]
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else None
