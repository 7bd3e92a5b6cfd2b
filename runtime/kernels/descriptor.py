"""Descriptors: the int64 arrays that carry a convolution's sizes into its kernel, and the names of their fields.

Kernels do not check what they read, so a field has a name, and one place. Each descriptor begins with the fields of
`Conv`, which helpers of several kernels read; those of its family follow: `Direct`, `Planar`, `Batch16`, or `Winograd`
and maybe `WinogradSparse`. `pack` puts values to their places by name; tables may lie behind them.
"""

from __future__ import annotations

from enum import IntEnum, auto

import numpy as np

from .contract import I64, ConvGeometry, Epilogue

Image = tuple[tuple[int, int], tuple[int, int]]
"""Height and width of an input, and of an output."""


class Conv(IntEnum):
    """What every convolution has. Sizes are as tiles see them: a pointwise layer's image may be another rectangle."""

    SAMPLES = 0
    """That lie one after the other: 1 where 16 lie side by side."""
    IN_CHANNELS = auto()
    OUT_CHANNELS = auto()
    HEIGHT = auto()
    WIDTH = auto()
    OUT_HEIGHT = auto()
    OUT_WIDTH = auto()
    PAD_Y = auto()
    PAD_X = auto()
    RESIDUAL = auto()
    """Whether there is one."""
    POOL = auto()
    """Whether the greatest of 2 x 2 outputs is stored."""
    SUMS = auto()
    """Where sums begin in scratch."""
    FIRST = auto()
    """The part of the work: its first tile, or block of vectors of tiles in Winograd's algorithm."""
    LAST = auto()
    """The first one behind it."""


class Direct(IntEnum):
    """What direct convolutions of one sample have beside that (`conv.direct.tile`, `pack_input`)."""

    IN_PLANE = len(Conv)
    """Elements of an input channel."""
    OUT_PLANE = auto()
    """Elements of an output channel."""
    TAPS = auto()
    """Units of an input channel."""
    ROW_STEP = auto()
    """Input elements from an output row to the next."""
    COLUMN_STEP = auto()
    """Input elements from an output column to the next."""
    SPAN = auto()
    BANDS = auto()
    UNIT_VECTORS = auto()
    """Vectors that a unit packs."""
    CHUNKS = auto()
    """Chunks of a vector."""
    PIECES = auto()
    """Pieces of a chunk."""
    OFFSETS = auto()
    """Where, in the descriptor, the offsets of the pieces lie."""
    MASKS = auto()
    """Where the masks of the pieces lie."""
    TILE_MASKS = auto()
    """Where it is told for each tile where its masks lie."""


class Planar(IntEnum):
    """What convolutions on planes of bytes have beside that (`integer`); sizes are bytes."""

    IN_SAMPLE = len(Conv)
    """From a sample to the next, in the planes that taps read."""
    IN_PLANE = auto()
    """From a plane to the next."""
    IN_BASE = auto()
    """The first tap of the first pixel, in its plane."""
    OUT_SAMPLE = auto()
    OUT_PLANE = auto()
    OUT_START = auto()
    """The first pixel in its plane."""
    OUT_END = auto()
    """The end of what tiles write of a plane."""
    SLICE = auto()
    """From the copy of a plane to the next; 0 where a tile reads the planes themselves."""
    COPIED = auto()
    """What a tile copies of each plane."""
    QUADS = auto()
    """Of an output channel, where weights are dense."""
    ZERO = auto()
    """The zero point of the output."""
    LOW = auto()
    HIGH = auto()
    """The limits of the output, where it is bytes."""


class Batch16(IntEnum):
    """What convolutions of 16 samples side by side have beside that (`conv.batch16.sparse`)."""

    STRIDE_Y = len(Conv)
    STRIDE_X = auto()
    REACH_Y = auto()
    """Rows that a unit packs, for each phase."""
    REACH_X = auto()
    """Columns that a unit packs."""
    PHASES_Y = auto()
    """Number of phases of rows; the phases of rows, and then those of columns, lie behind the fields."""
    PHASES_X = auto()
    """Number of phases of columns."""


class Winograd(IntEnum):
    """What Winograd's algorithm has beside that (`conv.winograd.tiles`)."""

    GROUPS = len(Conv)
    GROUP_INPUTS = auto()
    """Input channels of a group."""
    GROUP_OUTPUTS = auto()
    """Output channels of a group."""
    STRIDE = auto()
    ACROSS = auto()
    """Tiles of a row."""
    TILES = auto()
    """Tiles of an image."""
    PACK = auto()
    """Tiles of a vector."""
    PATCH = auto()
    """Where, in scratch, a patch of the input begins."""
    INPUTS = auto()
    """Where transformed inputs begin."""
    OUTPUTS = auto()
    """Where the outputs of a vector of tiles begin."""
    FIRST_CHANNEL = auto()
    """The part of the work: its first output channel."""
    LAST_CHANNEL = auto()
    """The first one behind it."""


class WinogradSparse(IntEnum):
    """What it has beside that where weights stay sparse (`conv.winograd.sparse`)."""

    WEIGHTS = len(Conv) + len(Winograd)
    """Where, in scratch, transformed weights begin."""
    WEIGHT_TAPS = auto()
    """Where weights begin that are not transformed yet."""
    PIXELS = auto()
    """Where outputs begin, vectors of channels."""
    TURNED = auto()
    """Where outputs begin, vectors of tiles."""
    AT_ONCE = auto()
    """Vectors of tiles that weights are transformed for at a time."""


class Block(IntEnum):
    """The columns of a table of blocks (`conv.blocks`)."""

    FIRST_UNIT = 0
    LAST_UNIT = auto()
    """The first one behind it."""
    FIRST_OUTPUT = auto()
    LAST_OUTPUT = auto()
    """The first one behind it."""
    STARTS = auto()
    """Whether the sums of its outputs start here."""
    ENDS = auto()
    """Whether they end here."""
    SEGMENT = auto()
    """The first segment of its outputs."""
    POSITION = auto()
    """Where that one's weights begin in the stream."""


def layer_fields(g: ConvGeometry, epilogue: Epilogue, image: Image | None = None) -> dict[str, int]:
    """The fields of `Conv` that the layer alone tells; `image` is what tiles see in place of its input and output."""
    (height, width), (out_height, out_width) = image or ((g.height, g.width), (g.out_height, g.out_width))
    return {
        "in_channels": g.in_channels,
        "out_channels": g.out_channels,
        "height": height,
        "width": width,
        "out_height": out_height,
        "out_width": out_width,
        "pad_y": g.padding[0],
        "pad_x": g.padding[1],
        "residual": epilogue.residual,
        "pool": epilogue.pool,
    }


def pack(*families: type[IntEnum], **values: int) -> I64:
    """Make a descriptor.

    Parameters
    ----------
    *families : IntEnum
        The classes of its fields.
    **values : int
        All fields, by their names in lower case.

    Returns
    -------
    ndarray of int64, shape (number of fields,)

    Raises
    ------
    ValueError
        A field is missing, or unknown.
    """
    places = {field.name.lower(): field.value for family in families for field in family}
    if places.keys() != values.keys():
        raise ValueError(f"fields of a descriptor do not match: {sorted(places.keys() ^ values.keys())}")
    descriptor = np.zeros(len(places), np.int64)
    for name, value in values.items():
        descriptor[places[name]] = value
    return descriptor
