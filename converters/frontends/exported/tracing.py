"""Tracing a module with ``torch.export``, and what is the case when that fails: each cause by its name."""

from __future__ import annotations

import inspect
import io
import logging
import re
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode
from torch.nn.parameter import is_lazy

from ....dcformat import ConversionError, Shape

BATCH = 2
"""Two samples: with one, an operator that mixes the batch would go unseen."""
_ABOUT_SIZES = re.compile(r"\b(shapes?|sizes?|dim|dimensions?|channels?|elements?|[1-5]D)\b")
_TORCH = Path(torch.__file__).parent


def trace(module: nn.Module, input_shape: Shape) -> tuple[ExportedProgram, list[str]]:
    """Trace a module in eval mode on a batch of two; on a single sample, if it takes no more than one.

    Parameters
    ----------
    module : nn.Module
        Its mode is restored. The ``meta`` device will do.
    input_shape : tuple of int
        Shape of one sample, without the batch axis.

    Returns
    -------
    program : ExportedProgram
    messages : list of str
        What the user should know.

    Raises
    ------
    ConversionError
        torch cannot trace it: says why.
    """
    _check(module)
    first = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
    example = torch.zeros((BATCH, *input_shape), dtype=first.dtype, device=first.device)
    with _eval_mode(module), torch.no_grad(), quiet():
        try:
            return torch.export.export(module, (example,), strict=False), []
        except Exception as error:  # whatever the module's own forward may raise
            reason = error
        try:
            program = torch.export.export(module, (example[:1],), strict=False)
        except Exception:
            raise _refusal(module, example, reason) from reason
    return program, [f"the network takes one sample at a time ({first_line(reason)}); a batch is answered one by one"]


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
    _check_inputs(module)


def _check_inputs(module: nn.Module) -> None:
    """Refuse a forward that asks for more or less than one input."""
    if type(module).forward is nn.Module.forward and "forward" not in vars(module):
        raise ConversionError("the network has no forward", found=type(module).__name__)
    parameters = inspect.signature(module.forward).parameters.values()
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    takes_one = any(p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD) for p in parameters)
    if len(needed) > 1 or not takes_one:
        raise ConversionError(
            "the network must have one input tensor",
            expected=1,
            found=f"{len(needed)} in forward: {', '.join(needed)}" if needed else "none in forward",
            hint="wrap it in a module whose forward takes one and gives the others",
        )


def _refusal(module: nn.Module, example: Tensor, error: Exception) -> ConversionError:
    what = f"the network cannot be traced on an input of shape {list(example.shape)}"
    key = _key_read(module)
    if key is not None:
        return ConversionError(
            f"the network takes a dictionary: forward reads {key!r} of its input",
            expected="one tensor",
            hint="wrap it in a module whose forward takes a tensor and makes the dictionary",
        )
    if isinstance(error, GuardOnDataDependentSymNode):
        return ConversionError(
            f"{what}: what forward does depends on the values in a tensor (if, while, item())",
            where=_place(error),
            hint="dcz converts networks that do the same for every input",
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


def _place(error: Exception) -> str | None:
    """The line outside torch that an error comes from."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if _TORCH not in Path(frame.filename).parents and frame.filename != __file__ and frame.line
    ]
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else None
