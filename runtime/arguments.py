"""Arguments of a call of a model: one array an input, checked, in float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import quoted
from ..dcformat import InputError
from .vision.arrays import as_array

if TYPE_CHECKING:
    from ..dcformat import Shape
    from .kernels.contract import F32


class Arguments:
    """Checks what a network is called with.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Of a sample of each input, by name, in their order.
    limits : mapping of int to int
        What `dcz.dcformat.graph.ids.id_limits` gives.
    """

    def __init__(self, shapes: Mapping[str, Shape], limits: Mapping[int, int]) -> None:
        self._names, self._shapes = [*shapes], [*shapes.values()]
        self._limits = limits

    def __call__(self, batches: tuple[ArrayLike | Mapping[str, ArrayLike], ...]) -> list[F32]:
        """The arrays in the order of the inputs.

        Parameters
        ----------
        batches : tuple
            One array an input, in their order; or one mapping from the names of the inputs to arrays.

        Returns
        -------
        list of ndarray of float32, shapes ``(N, *shape)``

        Raises
        ------
        InputError
            Other inputs, or arrays of other shapes or types.
        """
        if len(batches) == 1 and isinstance(batches[0], Mapping):
            batches = self._by_name(batches[0])
        if len(batches) != len(self._names):
            names = ", ".join(self._names)
            call = f"call model({names}), or model({{'{self._names[0]}': ..., ...}})"
            expected = f"{len(self._names)} ({names})"
            raise InputError("the network has several inputs", expected=expected, found=len(batches), hint=call)
        arrays = [self._checked(value, batch) for value, batch in enumerate(batches)]
        lengths = [len(array) for array in arrays]
        if len(set(lengths)) > 1:
            found = ", ".join(f"{name} {length}" for name, length in zip(self._names, lengths, strict=True))
            raise InputError("the inputs have different numbers of samples", expected="the same N", found=found)
        return arrays

    def from_lists(self, given: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
        """Checked arrays to call the network with, from nested lists in which a float may look like an integer.

        Raises
        ------
        InputError
            As a call.
        """
        arrays = {name: as_array(values) for name, values in given.items()}
        ids = {self._names[value] for value in self._limits}
        for name, array in arrays.items():
            if name not in ids and array.dtype.kind in "iu":
                arrays[name] = array.astype(np.float32)
        self((arrays,))
        return arrays

    def _by_name(self, given: Mapping[str, ArrayLike]) -> tuple[ArrayLike, ...]:
        if set(given) != set(self._names):
            raise InputError("the inputs have other names", expected=quoted(self._names), found=quoted(given))
        return tuple(given[name] for name in self._names)

    def _checked(self, value: int, batch: ArrayLike | Mapping[str, ArrayLike]) -> NDArray[Any]:
        name, shape, array = self._names[value], self._shapes[value], as_array(batch)  # type: ignore[arg-type]
        where = f"input {name!r}" if len(self._names) > 1 else None
        if value not in self._limits and array.dtype.kind != "f":
            raise _not_floats(array.dtype, where)
        if array.shape[1:] != shape or array.ndim == 0:
            hint = "add a batch axis: batch[None]" if array.shape == shape else None
            expected = f"(N, {', '.join(map(str, shape))})"
            raise InputError("batch has the wrong shape", where=where, expected=expected, found=array.shape, hint=hint)
        if value in self._limits:
            _check_ids(array, self._limits[value], where)
        if array.dtype == np.float32:
            return array
        with np.errstate(over="ignore"):  # values beyond float32 become infinite
            return array.astype(np.float32)


def check_one_input(names: Sequence[str]) -> None:
    """Refuse images for a network of several inputs; raises InputError."""
    if len(names) > 1:
        found = f"{len(names)}: {', '.join(names)}"
        hint = "call the model with an array for each, by name: model({...})"
        raise InputError("images are for networks of one input", found=found, hint=hint)


def check_one_output(names: Sequence[str]) -> None:
    """Refuse to classify by a network of several outputs; raises InputError."""
    if len(names) > 1:
        found = f"{len(names)}: {', '.join(names)}"
        hint = "call the model and pick one: model.rank(model(model.preprocess(items))['NAME'])"
        raise InputError("images are classified by networks of one output", found=found, hint=hint)


def _check_ids(array: NDArray[Any], limit: int, where: str | None) -> None:
    if array.dtype.kind not in "iu":
        hint = "the input is row numbers of a table: batch.astype(numpy.int64)"
        raise InputError("batch is not made of integers", where=where, expected="int64", found=array.dtype, hint=hint)
    wrong = array[(array < 0) | (array >= limit)]
    if wrong.size:
        raise InputError("number is out of range", where=where, expected=f"0 to {limit - 1}", found=wrong.flat[0])


def _not_floats(dtype: np.dtype[Any], where: str | None) -> InputError:
    if dtype.kind not in "iub":
        return InputError("batch is not made of real numbers", where=where, expected="float32", found=dtype)
    hint = "model.preprocess makes a batch of images; what is an input as it is: batch.astype(numpy.float32)"
    what = "batch holds integers, as images do"
    return InputError(what, where=where, expected="float32", found=dtype, hint=hint)
