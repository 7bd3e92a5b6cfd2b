"""A transposed convolution as an ordinary one, which makes the outputs of each phase as channels of their own.

Along an axis of stride s, output y = s t + r of phase r is the sum of ``x[t + e] * w[k]`` over the taps k for which
``r + padding - k * dilation = s e``: a convolution of stride 1. One convolution makes all phases, each a channel for
each output channel; their outputs are interleaved afterwards. (Dumoulin & Visin 2016, section 4; Shi et al. 2016.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ....dcformat.tensors import SparseRaw, SparseShared
from ..contract import F32, I64, Call, ConvGeometry
from ..copy import copy
from ..weights import SparseWeights


@dataclass(frozen=True)
class Axis:
    """One axis of the ordinary convolution.

    Attributes
    ----------
    kernel, padding : int
    made : int
        Outputs of each phase; some at the end may not be wanted.
    phase, tap : ndarray of int64, shape (K,)
        For each tap of the transposed convolution, the phase that it belongs to, and its place in the kernel.
    """

    kernel: int
    padding: int
    made: int
    phase: I64
    tap: I64

    @classmethod
    def of(cls, g: ConvGeometry, axis: int) -> Axis:
        """The axis, 0 or 1, of the geometry of a transposed convolution."""
        size, wanted = (g.height, g.width)[axis], -(-(g.out_height, g.out_width)[axis] // g.stride[axis])
        start = np.arange(g.kernel[axis]) * g.dilation[axis] - g.padding[axis]
        shift, phase = -(start // g.stride[axis]), start % g.stride[axis]
        padding = max(0, -int(shift.min()))
        kernel = int(shift.max()) + padding + 1
        more = max(0, wanted - (size + 2 * padding - kernel + 1))
        return cls(
            kernel=kernel + more,
            padding=padding + more,
            made=size + 2 * padding - kernel + 1 + more,
            phase=phase,
            tap=shift + padding + more,
        )


@dataclass(frozen=True)
class Phases:
    """A transposed convolution as an ordinary one.

    Attributes
    ----------
    transposed : ConvGeometry
        Of the transposed one: of its weights (in_channels, out_channels / groups, KH, KW), its stride and its padding.
    rows, columns : Axis
    """

    transposed: ConvGeometry
    rows: Axis
    columns: Axis

    @classmethod
    def of(cls, transposed: ConvGeometry) -> Phases:
        """The phases of a geometry."""
        return cls(transposed, Axis.of(transposed, 0), Axis.of(transposed, 1))

    @property
    def count(self) -> int:
        """Number of phases."""
        return self.transposed.stride[0] * self.transposed.stride[1]

    @property
    def geometry(self) -> ConvGeometry:
        """The ordinary convolution; its output channels are (channel, phase of rows, phase of columns)."""
        return replace(
            self.transposed,
            out_channels=self.transposed.out_channels * self.count,
            kernel=(self.rows.kernel, self.columns.kernel),
            stride=(1, 1),
            padding=(self.rows.padding, self.columns.padding),
            dilation=(1, 1),
            out_height=self.rows.made,
            out_width=self.columns.made,
        )

    def weights(self, weights: SparseWeights) -> SparseShared | SparseRaw:
        """Weights of the ordinary convolution, of those of the transposed one."""
        g, made = self.transposed, self.geometry
        outputs, inputs = g.out_channels // g.groups, g.in_channels // g.groups
        channel = np.repeat(np.arange(g.in_channels), np.diff(weights.indptr))
        out, ky, kx = np.unravel_index(weights.indices, (outputs, *g.kernel))
        out = out + channel // inputs * outputs
        row = (out * g.stride[0] + self.rows.phase[ky]) * g.stride[1] + self.columns.phase[kx]
        column = (channel % inputs * made.kernel[0] + self.rows.tap[ky]) * made.kernel[1] + self.columns.tap[kx]
        return weights.moved((made.out_channels, inputs, *made.kernel), row, column)

    def interleave(self, made: F32, out: F32) -> list[Call]:
        """Calls that bring the outputs of the ordinary convolution to their places.

        Parameters
        ----------
        made : ndarray of float32, shape (samples, channels * phases, rows, columns, lanes)
        out : ndarray of float32, shape (samples, channels, height, width, lanes)
        """
        samples, channels, lanes = len(out), out.shape[1], out.shape[-1]
        down, across = self.transposed.stride
        phases = made.reshape(samples, channels, down, across, self.rows.made, self.columns.made, lanes)
        calls = []
        for y, x in np.ndindex(down, across):
            target = out[:, :, y::down, x::across]
            if target.size:
                source = phases[:, :, y, x, : target.shape[2], : target.shape[3]]
                calls.append(copy(target, source))
        return calls
