"""One node of an ONNX graph as a module, and the node as a translation sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from onnx import NodeProto, helper
from torch import Tensor, nn

from ....dcformat import UnsupportedOpError
from ....dcformat.tensors import Array
from .values import Values

NOT_KNOWN = "operator is not supported"
Made = Tensor | Array | tuple[Tensor, ...]
Translate = Callable[["OnnxNode"], Made]


class OnnxNode:
    """A node with its operands.

    Attributes
    ----------
    op : str
    opset : int
        Version of the operator set.
    output_count : int
    """

    def __init__(self, proto: NodeProto, values: Values) -> None:
        self.op = proto.op_type
        self.opset = values.opset
        self.output_count = len(proto.output)
        self._proto = proto
        self._values = values
        self._attributes = {item.name: helper.get_attribute_value(item) for item in proto.attribute}

    def fail(self, why: str) -> NoReturn:
        """Refuse the node."""
        raise refusal(self._proto, why)

    def require(self, condition: bool, why: str) -> None:
        """Refuse the node unless `condition` holds."""
        if not condition:
            self.fail(why)

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute; texts as str, numbers in a list."""
        value = self._attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def has(self, index: int) -> bool:
        """Whether an optional input is given."""
        return index < len(self._proto.input) and bool(self._proto.input[index])

    def wants(self, index: int) -> bool:
        """Whether an optional output has a name."""
        return index < len(self._proto.output) and bool(self._proto.output[index])

    def tensor(self, index: int) -> Tensor:
        """An input as a tensor."""
        return self._values.tensor(self._proto.input[index])

    def optional(self, index: int) -> Tensor | None:
        """An input as a tensor; None if it is not given."""
        return self.tensor(index) if self.has(index) else None

    def tensors(self) -> list[Tensor]:
        """All inputs as tensors."""
        return [self.tensor(i) for i in range(len(self._proto.input))]

    def is_constant(self, index: int) -> bool:
        """Whether an input does not depend on the network's input."""
        return self.has(index) and self._values.is_constant(self._proto.input[index])

    def numbers(self, index: int) -> Array:
        """An input that must be a constant, as an array."""
        if not self.is_constant(index):
            self.fail(f"input {self._proto.input[index]!r} is computed from the network's input; it must be constant")
        return self._values.numbers(self._proto.input[index])

    def number(self, index: int) -> float | None:
        """An input that is a constant of one element; None if it is another."""
        if not self.is_constant(index):
            return None
        array = self.numbers(index)
        return array.item() if array.size == 1 else None

    def operand(self, index: int) -> Tensor | float:
        """An input of arithmetic: a number where a constant has one element and at most one axis, else a tensor."""
        number = self.number(index)
        return self.tensor(index) if number is None or self.numbers(index).ndim > 1 else number

    def ints(self, attribute: str, index: int) -> list[int] | None:
        """Integers that older versions of an operator have as an attribute, and newer ones as an input."""
        if self.has(index):
            return [int(n) for n in self.numbers(index).reshape(-1)]
        found: list[int] | None = self.attribute(attribute)
        return found

    def scalar(self, attribute: str, index: int, default: float) -> float:
        """A number that older versions of an operator have as an attribute, and newer ones as an input."""
        if self.has(index):
            self.require(self.numbers(index).size == 1, f"input {self._proto.input[index]!r} must be one number")
            return float(self.numbers(index).item())
        return float(self.attribute(attribute, default))


class Step(nn.Module):
    """A node as a module, whose path in torch's program leads back to it.

    Parameters
    ----------
    proto : NodeProto
    translate : callable or None
        Its operator by torch; None if there is no such.
    """

    def __init__(self, proto: NodeProto, translate: Translate | None) -> None:
        super().__init__()
        self.proto = proto
        self.translate = translate
        self.inputs = [name for name in proto.input if name]
        self.outputs = [name for name in proto.output if name]

    @property
    def is_known(self) -> bool:
        """Whether the operator has a translation."""
        return self.translate is not None

    def forward(self, values: Values) -> dict[str, Tensor | Array] | UnsupportedOpError:
        """The values that the node makes, by name; or why it is refused: torch's tracing lets no error through."""
        node = OnnxNode(self.proto, values)
        try:
            if self.translate is None:
                node.fail(NOT_KNOWN)
            made = self.translate(node)
        except UnsupportedOpError as error:
            return error
        parts = made if isinstance(made, tuple) else (made,)
        return {name: part for name, part in zip(self.proto.output, parts, strict=False) if name}


def name_of(proto: NodeProto) -> str:
    """A node's name, or that of its first output."""
    return str(proto.name or next(filter(None, proto.output), proto.op_type))


def refusal(proto: NodeProto, why: str) -> UnsupportedOpError:
    """The error that refuses a node. Operators of other domains than ONNX's own are named with theirs."""
    domain = "" if proto.domain in ("", "ai.onnx") else f"{proto.domain}."
    return UnsupportedOpError(domain + proto.op_type, node=name_of(proto), why=why)
