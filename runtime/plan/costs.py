"""What operations cost on a kind of processor: numbers fitted to timings, by which `cost` weighs what it counts.

Unless an attribute says otherwise, its unit is the time that a multiply-add of the dense convolution takes for a
vector; on Zen 4 that is a cycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class DirectCosts:
    """Costs of direct convolutions of one sample.

    Attributes
    ----------
    multiply : float
        Of a multiply-add in a sparse kernel, which loads an operand.
    weight, short_weight : float
        Of a sparse weight beside its multiply-adds; the same in a tile of few rows, which sums in several chains.
    dense_weight, channel_weight : float
        Of a weight of all output channels taken at a time, in the dense kernel; the same where they are the lanes.
    sums : float
        Of a vector of sums that is begun or taken up again, for each segment of weights.
    short_segment : float
        Of a segment in a tile of few rows.
    shifted_sums, shifted_segment : float
        Of a vector of sums, and of a segment, where sums are shifted (`sparse_shift`).
    unit : float
        Of packing a unit of a tile.
    packed : mapping of int to float
        Of packing a vector, by horizontal stride.
    gathered : float
        Of packing a vector at any other stride, element by element.
    turned : float
        Of transposing a vector of sums, where output channels lie in the lanes.
    finished, stored : float
        Of an epilogue of a vector; the same of sums that are still in registers.
    pooled : float
        Of an output pixel that is stored for another kernel to pool.
    window_loaded : mapping of int to float
        Of loading a vector of pixels for a tap, by stride, in the depthwise kernel.
    window_finished, window_channel : float
        Of an epilogue of a vector, and of an output channel, there.
    pair_loaded : float
        Like `window_loaded`, in the kernel that takes two channels at a time.
    tap_loaded : mapping of int to float
        Of multiplying a vector of pixels with a weight, by stride, in the depthwise kernel that goes tap by tap.
    tap_tile : float
        Of a tile there.
    """

    multiply: float
    weight: float
    short_weight: float
    dense_weight: float
    channel_weight: float
    sums: float
    short_segment: float
    shifted_sums: float
    shifted_segment: float
    unit: float
    packed: Mapping[int, float]
    gathered: float
    turned: float
    finished: float
    stored: float
    pooled: float
    window_loaded: Mapping[int, float]
    window_finished: float
    window_channel: float
    pair_loaded: float
    tap_loaded: Mapping[int, float]
    tap_tile: float


@dataclass(frozen=True)
class WordCosts:
    """Costs of direct convolutions in words of 16 bits, of which a vector holds 32.

    Attributes
    ----------
    pair : float
        Of two weights times a vector each.
    pair_each : float
        Of two weights beside that.
    sums : float
        Of 16 sums that are begun, converted and stored, for each segment of weights.
    segment : float
        Of a segment beside its sums.
    unit : float
        Of packing a unit of two tiles.
    packed : mapping of int to float
        Of packing a vector, by horizontal stride.
    gathered : float
        Of packing a vector at any other stride, element by element.
    finished : float
        Of an epilogue of 16 outputs.
    scanned : float
        Of 16 inputs among which the greatest is sought.
    dense : float
        Of two weights times a vector each, where all weights count.
    dense_sums : float
        Of 16 such sums that are begun, converted and stored, for each block of units.
    aligned : float
        Of packing two channels of a tile, where they lie as the tile sees them.
    line : float
        Of transforming a vector of a line, for each point, by Winograd's algorithm along columns.
    rounded : float
        Of rounding a vector of transformed inputs, for each point.
    scaled : float
        Of 16 sums that are begun, converted, scaled and stored, for each point.
    pooled : float
        Like `finished`, of outputs that are pooled.
    """

    pair: float
    pair_each: float
    sums: float
    segment: float
    unit: float
    packed: Mapping[int, float]
    gathered: float
    finished: float
    scanned: float
    dense: float
    dense_sums: float
    aligned: float
    line: float
    rounded: float
    scaled: float
    pooled: float


@dataclass(frozen=True)
class WinogradCosts:
    """Costs of Winograd's algorithm for one sample; of vectors of tiles or of channels, for each point.

    Attributes
    ----------
    inputs, outputs : float
        Of transforming a vector of an input channel, and of an output channel.
    multiply : float
        Of a multiply-add.
    channel : float
        Of an output channel beside its multiply-adds.
    single : float
        What a vector that is alone in a block counts, in vectors.
    turned_outputs : float
        The same as `outputs` where weights stay sparse, and vectors of channels become vectors of tiles.
    weights : float
        Of transforming a vector of weights, where they stay sparse.
    scattered : float
        Of bringing a weight to its place before that, not for each point.
    """

    inputs: float
    outputs: float
    multiply: float
    channel: float
    single: float
    turned_outputs: float
    weights: float
    scattered: float


@dataclass(frozen=True)
class LinearCosts:
    """Costs of fully connected layers of one sample.

    Attributes
    ----------
    output : float
        Of an output.
    row : float
        Of a weight, row by row.
    dense : float
        Of a weight, zeros included, of a dense layer, which is bound by memory.
    windowed : mapping of int to float
        Of a weight, by how many centroids a codebook has less than (`permute16`), in ascending order.
    triple, few_triples : float
        Of a weight, three in a word (`permute32`); the same where weights are few.
    few : float
        Density below which weights are few.
    """

    output: float
    row: float
    dense: float
    windowed: Mapping[int, float]
    triple: float
    few_triples: float
    few: float


@dataclass(frozen=True)
class Batch16Costs:
    """Costs of convolutions of 16 samples side by side, where a multiply-add costs 1.

    Attributes
    ----------
    weight : float
        Of a sparse weight beside its multiply-adds.
    sums : float
        Of a vector of sums, for each segment of weights.
    segment : float
        Of a segment.
    packed : float
        Of packing a vector.
    tap : float
        Of the loop of a tap, for each segment, in `sparse_small`.
    inputs, outputs : float
        Of transforming a tile of an input channel, and of an output channel, for each point, by Winograd's algorithm.
    channel : float
        Of an output channel beside its multiply-adds, for each point and tile.
    """

    weight: float
    sums: float
    segment: float
    packed: float
    tap: float
    inputs: float
    outputs: float
    channel: float


@dataclass(frozen=True)
class Costs:
    """What operations cost on a kind of processor."""

    direct: DirectCosts
    words: WordCosts
    winograd: WinogradCosts
    linear: LinearCosts
    batch16: Batch16Costs
