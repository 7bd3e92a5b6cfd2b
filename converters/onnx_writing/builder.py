"""An ONNX graph as it grows: nodes, and constants by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, SparseTensorProto, TensorProto, helper, numpy_helper

from ...dcformat import Dense, Shape
from ...dcformat.tensors import Array

TYPES = {"F32": TensorProto.FLOAT, "F64": TensorProto.DOUBLE, "F16": TensorProto.FLOAT16, "BF16": TensorProto.BFLOAT16}
"""Floating-point types of a container, in ONNX. Others are widened."""


class OnnxBuilder:
    """Collects nodes and constants.

    Parameters
    ----------
    taken : iterable of str
        Names of the network's tensors, which no value may take.
    sparse : bool
        Store a tensor as a sparse initializer where that is smaller.

    Attributes
    ----------
    nodes : list of NodeProto
    initializers : list of TensorProto
    sparse_initializers : list of SparseTensorProto
    input : str
        Name of the network's first input, which tells the batch.
    integers : dict of str to str
        Name of a value in fp32 -> name of the input of integers that it is made of.
    """

    def __init__(self, taken: Sequence[str], sparse: bool = False) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.sparse_initializers: list[SparseTensorProto] = []
        self._taken = set(taken)
        self._sparse = sparse
        self.input = ""
        self.integers: dict[str, str] = {}

    def name(self, wanted: str) -> str:
        """The name itself, or with a number behind it where it is taken."""
        name, count = wanted, 2
        while name in self._taken:
            name, count = f"{wanted}.{count}", count + 1
        self._taken.add(name)
        return name

    def add(self, op: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """Append a node of one output; an empty name is an input that is left out.

        Returns
        -------
        str
            Name of the output.
        """
        output = output or self.name(op.lower())
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=f"{op}.{len(self.nodes)}", **attributes))
        return output

    @property
    def nbytes(self) -> int:
        """Bytes of all constants."""
        sparse = (part for item in self.sparse_initializers for part in (item.values, item.indices))
        return sum(len(tensor.raw_data) for tensor in (*self.initializers, *sparse))

    def number(self, value: float) -> str:
        """A constant of one fp32 number."""
        return self.constant("number", np.array(value, np.float32))

    def ints(self, *values: int) -> str:
        """A constant list of integers."""
        return self.constant("sizes", np.array(values, np.int64))

    def constant(self, wanted: str, array: Array) -> str:
        """A constant under a name that is free."""
        name = self.name(wanted)
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def ones(self, shape: Shape) -> str:
        """A constant of ones in fp32."""
        return self.constant("ones", np.ones(shape, np.float32))

    def zeros(self, shape: Shape) -> str:
        """A constant of zeros in fp32."""
        return self.constant("zeros", np.zeros(shape, np.float32))

    def batch(self) -> str:
        """The size of the batch, as a list of one integer."""
        return self.add("Shape", [self.input], start=0, end=1)

    def tensor(self, name: str, tensor: Dense) -> str:
        """One of the network's tensors, under its own name.

        Returns
        -------
        str
            Name of its values in fp32, as nodes compute.
        """
        if tensor.dtype == "BF16":
            proto = helper.make_tensor(name, TensorProto.BFLOAT16, tensor.shape, tensor.array.tobytes(), raw=True)
        else:
            array = tensor.array if tensor.dtype in TYPES else tensor.numbers().astype(np.float32)
            proto = numpy_helper.from_array(np.ascontiguousarray(array), name)
        sparse = _sparse_form(name, tensor.array) if self._sparse and tensor.dtype == "F32" else None
        if sparse is None:
            self.initializers.append(proto)
        else:
            self.sparse_initializers.append(sparse)
        if proto.data_type == TensorProto.FLOAT:
            return name
        return self.add("Cast", [name], self.name(f"{name}.fp32"), to=TensorProto.FLOAT)


def _sparse_form(name: str, array: Array) -> SparseTensorProto | None:
    """Values and 64-bit positions of all elements but +0; None if that is not smaller."""
    flat = array.reshape(-1)
    places = np.flatnonzero(flat.view(np.uint32))
    if not array.ndim or len(places) * (places.itemsize + flat.itemsize) >= flat.nbytes:
        return None
    positions = numpy_helper.from_array(places.astype(np.int64), f"{name}.positions")
    return helper.make_sparse_tensor(numpy_helper.from_array(flat[places], name), positions, array.shape)
