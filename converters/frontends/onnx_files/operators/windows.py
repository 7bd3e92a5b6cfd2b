"""Strides, dilations and padding of operators that go over windows: convolution and pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from ..step import OnnxNode


@dataclass(frozen=True)
class Windows:
    """Windows over the spatial axes of a value.

    Attributes
    ----------
    kernel, strides, dilations : list of int
        One number an axis.
    before, after : list of int
        Padding at both ends of each axis.
    """

    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    before: list[int]
    after: list[int]

    @classmethod
    def of(cls, n: OnnxNode, kernel: Sequence[int], sizes: Sequence[int]) -> Windows:
        """The windows of a node of this kernel over axes of these sizes; ``auto_pad`` becomes numbers."""
        rank = len(kernel)
        strides, dilations = n.attribute("strides", [1] * rank), n.attribute("dilations", [1] * rank)
        auto_pad = n.attribute("auto_pad", "NOTSET")
        n.require(auto_pad in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"), f"auto_pad {auto_pad} is not known")
        pads = n.attribute("pads", [0] * 2 * rank) if auto_pad == "NOTSET" else [0] * 2 * rank
        before, after = list(pads[:rank]), list(pads[rank:])
        if auto_pad.startswith("SAME"):
            for i, size in enumerate(sizes):
                total = max((-(-size // strides[i]) - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - size, 0)
                halves = (total // 2, total - total // 2)
                before[i], after[i] = halves if auto_pad == "SAME_UPPER" else halves[::-1]
        return cls(list(kernel), list(strides), list(dilations), before, after)

    @property
    def is_even(self) -> bool:
        """Whether both ends of each axis are padded alike."""
        return self.before == self.after

    def padded(self, x: Tensor, value: float = 0.0) -> Tensor:
        """The value with its padding; a negative one cuts."""
        widths = [width for pair in zip(self.before[::-1], self.after[::-1], strict=True) for width in pair]
        return F.pad(x, widths, value=value) if any(widths) else x

    def count(self, sizes: Sequence[int], ceil_mode: bool) -> list[int]:
        """Number of windows along each axis; with `ceil_mode` the last may reach beyond the padding behind."""
        counts = []
        for i, size in enumerate(sizes):
            stride, reach = self.strides[i], (self.kernel[i] - 1) * self.dilations[i] + 1
            span = size + self.before[i] + self.after[i] - reach
            count = (-(-span // stride) if ceil_mode else span // stride) + 1
            counts.append(count - 1 if ceil_mode and (count - 1) * stride >= size + self.before[i] else count)
        return counts

    def stretched(self, sizes: Sequence[int]) -> Windows:
        """The same with as much padding behind as the windows of ``ceil_mode`` reach over, so that it is not needed."""
        after = []
        for i, count in enumerate(self.count(sizes, True)):
            end = (count - 1) * self.strides[i] + (self.kernel[i] - 1) * self.dilations[i] + 1
            after.append(end - sizes[i] - self.before[i])
        return Windows(self.kernel, self.strides, self.dilations, self.before, after)
