"""Processors that layers are planned for: what their registers and caches hold, and what operations cost on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ...core.cpu import BYTE_DOTS, WIDE, WORDS
from .byte_target import PLAIN_BYTES, ZEN4_BYTES, ByteTarget
from .costs import Batch16Costs, Costs, DirectCosts, LinearCosts, WinogradCosts, WordCosts

ZEN4 = Costs(
    DirectCosts(
        multiply=1.2,
        weight=0.7,
        short_weight=1.0,
        dense_weight=0.2,
        channel_weight=1.3,
        sums=5.7,
        short_segment=5.0,
        shifted_sums=6.0,
        shifted_segment=30.0,
        unit=4.0,
        packed={1: 5.0, 2: 7.0, 4: 11.0},
        gathered=60.0,
        turned=5.0,
        finished=7.4,
        stored=3.8,
        pooled=2.0,
        window_loaded={1: 0.3, 2: 1.7},
        window_finished=2.2,
        window_channel=40.0,
        pair_loaded=0.8,
        tap_loaded={1: 2.4, 2: 5.2},
        tap_tile=25.0,
    ),
    WordCosts(
        pair=2.7,
        pair_each=1.2,
        sums=4.6,
        segment=2.0,
        unit=2.8,
        packed={1: 9.0, 2: 16.0, 4: 33.0},
        gathered=120.0,
        finished=4.4,
        scanned=3.1,
        dense=1.32,
        dense_sums=3.0,
        aligned=15.0,
        line=10.0,
        rounded=4.0,
        scaled=4.0,
        pooled=8.0,
    ),
    WinogradCosts(
        inputs=25.0,
        outputs=9.5,
        multiply=1.1,
        channel=6.0,
        single=1.3,
        turned_outputs=18.0,
        weights=10.0,
        scattered=2.0,
    ),
    LinearCosts(
        output=6.0,
        row=2.2,
        dense=0.75,
        windowed={64: 0.40, 128: 0.46, 256: 0.66},
        triple=0.30,
        few_triples=0.60,
        few=0.06,
    ),
    Batch16Costs(weight=1.7, sums=2.5, segment=12.0, packed=5.0, tap=14.0, inputs=7.0, outputs=4.4, channel=2.0),
)
"""Fitted to timings of single layers on Zen 4, with AVX-512: those of ``python -m benchmarks.kernels --candidates``.

Those of `words` by least squares of the relative errors of 1048 timings of 21 layers at two densities: 85 % of the
estimates are within 20 %. `dense`, `dense_sums` and `aligned` are set by hand, to the layers of SqueezeNet within the
network. Not timed but scaled, as `packed` is: `gathered`.
"""

HASWELL = Costs(
    DirectCosts(
        multiply=1.05,
        weight=0.0,
        short_weight=0.5,
        dense_weight=0.0,
        channel_weight=2.0,
        sums=1.0,
        short_segment=0.0,
        shifted_sums=0.0,
        shifted_segment=0.0,
        unit=2.2,
        packed={1: 3.7, 2: 4.1, 4: 8.5},
        gathered=50.0,
        turned=12.0,
        finished=15.6,
        stored=15.6,
        pooled=2.0,
        window_loaded={1: 1.2, 2: 3.4},
        window_finished=24.1,
        window_channel=43.6,
        pair_loaded=1.2,
        tap_loaded={1: 3.0, 2: 6.6},
        tap_tile=9.9,
    ),
    WordCosts(
        pair=3.4,
        pair_each=0.2,
        sums=4.7,
        segment=0.0,
        unit=5.6,
        packed={1: 7.7, 2: 9.6, 4: 20.0},
        gathered=100.0,
        finished=18.4,
        scanned=1.9,
        dense=2.1,
        dense_sums=0.0,
        aligned=1.0,
        line=20.0,
        rounded=8.0,
        scaled=8.0,
        pooled=30.0,
    ),
    WinogradCosts(
        inputs=48.9,
        outputs=15.4,
        multiply=1.2,
        channel=0.0,
        single=1.3,
        turned_outputs=19.3,
        weights=7.0,
        scattered=1.0,
    ),
    replace(ZEN4.linear, output=27.0, row=2.2, dense=0.4),
    Batch16Costs(weight=0.6, sums=1.6, segment=24.0, packed=4.5, tap=28.0, inputs=13.0, outputs=2.9, channel=1.6),
)
"""Fitted to timings of single layers, by kernels compiled for Haswell (AVX2) and run on Zen 4.

By least squares of relative errors, without negative costs. `direct` and `winograd`: 699 timings of 26 layers at
densities of .05 to 1; 82 % of the estimates are within 20 %, and what is chosen takes 4 % longer than what is fastest.
`words`: 150 timings of 10 layers, 91 %; its `dense_sums` and `aligned`: 58 of 21, beside two halves of a vector, 91 %.
Depthwise kernels: 15 timings of 5 layers, all within 20 %. `batch16`, with an earlier form of its kernels: four fifths.
Not timed but scaled: `packed` at stride 4, `gathered`, `turned`, `stored`, `pooled`, `channel_weight`. `linear.dense`
lies between that of a layer in the L3 cache (.3) and of one in memory (.5).
"""


@dataclass(frozen=True)
class Target:
    """A kind of processor.

    Attributes
    ----------
    costs : Costs
    wide : bool
        Whether its registers hold 16 float32.
    permutes : bool
        Whether it permutes vectors of 512 bits word by word.
    sparse_rows, shift_rows : tuple of int
        Rows of a tile that the kernels `conv.direct.sparse` and `sparse_shift` are tried with: few, as each takes
        seconds to compile. Empty for a kernel that does not pay.
    dense_runs : mapping of int to tuple of int
        Of `conv.direct.dense`: the output channels that may be taken at a time, by rows of a tile. Registers hold the
        sums, and the fewer of weights and pixels.
    channel_tiles : tuple of (int, int)
        Of `conv.direct.dense_channels`: pixels, and vectors of output channels, whose sums are held in registers.
    channel_rows : tuple of int
        Rows of its tiles.
    window_rows : tuple of int
        Rows of a tile of `conv.depthwise`.
    pair_rows : tuple of int
        Rows of a tile of `conv.depthwise_pairs`.
    word_rows, word_dense_rows : tuple of int
        Rows of a tile of `words.sparse`, and of `words.dense`.
    strip_columns : tuple of int
        Vectors of a strip of `words.strips`.
    words : bool
        Whether kernels on words of 16 bits may be chosen, whose answers are not exact.
    plane_vectors : tuple of int
        Vectors of a tile of `conv.depthwise_taps`.
    word_registers : int
        Vectors that `words.dense` may hold: sums, and a weight for each run of them.
    block, thin_block, dense_block : int
        Vectors of a packed block of a tile: what fits the L1 cache; a little more, where weights are few, as less of it
        is read; what fits the L2 cache, where a load serves several outputs.
    thin : float
        Density below which weights are few.
    winograd : tuple of int
        Output channels and vectors whose sums Winograd's algorithm holds in registers.
    winograd_weights, winograd_unshared : int
        Most elements of shared weights that are kept transformed, which makes sparse ones many times as large, and of
        weights that are not shared.
    winograd_sparse : tuple of int
        Where they stay sparse: tiles and vectors of output channels whose sums are held in registers; tiles of a
        vector.
    batch16_tiles : tuple of (int, int)
        Heights and widths of a tile of pixels, where 16 samples lie side by side.
    batch16_block, batch16_thin_block, batch16_thin : int, int, float
        Like `block`, `thin_block` and `thin`.
    word_block, word_dense_block : int
        Like `block` and `dense_block`, of vectors of words. The less a block holds, the finer are grids.
    batch16_image_block : int
        Vectors of a block of `conv.batch16.sparse_small`, which packs nothing.
    batch16_winograd : tuple of int
        Output channels and tiles whose sums Winograd's algorithm holds in registers.
    bytes : ByteTarget
        For convolutions of bytes.
    """

    costs: Costs
    wide: bool
    permutes: bool
    sparse_rows: tuple[int, ...]
    shift_rows: tuple[int, ...]
    dense_runs: Mapping[int, tuple[int, ...]]
    channel_tiles: tuple[tuple[int, int], ...]
    channel_rows: tuple[int, ...]
    window_rows: tuple[int, ...]
    pair_rows: tuple[int, ...]
    word_rows: tuple[int, ...]
    word_dense_rows: tuple[int, ...]
    strip_columns: tuple[int, ...]
    plane_vectors: tuple[int, ...]
    word_registers: int
    winograd: tuple[int, int]
    winograd_sparse: tuple[int, int, int]
    batch16_tiles: tuple[tuple[int, int], ...]
    batch16_winograd: tuple[int, int]
    block: int = 448
    thin_block: int = 640
    dense_block: int = 1536
    thin: float = 0.15
    winograd_weights: int = 3 << 18
    winograd_unshared: int = 1 << 22
    batch16_block: int = 448
    batch16_thin_block: int = 640
    batch16_thin: float = 0.2
    word_block: int = 384
    word_dense_block: int = 256
    batch16_image_block: int = 1024
    words: bool = False
    bytes: ByteTarget = PLAIN_BYTES


AVX512 = Target(
    costs=ZEN4,
    wide=True,
    permutes=True,
    sparse_rows=(1, 4, 7, 8, 13, 14),
    shift_rows=(4, 7, 8, 13, 14, 16),
    dense_runs={1: (8, 10, 12, 14), 4: (4, 5), 7: (3,)},
    channel_tiles=((14, 2), (10, 2), (7, 3)),
    channel_rows=(4, 7),
    window_rows=(7,),
    pair_rows=(7, 8),
    word_rows=(2, 4, 7, 8, 11),
    word_dense_rows=(4, 6, 7),
    strip_columns=(4, 7),
    plane_vectors=(4, 7),
    word_registers=30,
    winograd=(8, 3),
    winograd_sparse=(14, 2, 14),
    batch16_tiles=((1, 1), (2, 2), (4, 4), (2, 7), (1, 13)),
    batch16_winograd=(8, 2),
)
"""With AVX-512: 32 registers of a vector each."""

AVX2 = Target(
    costs=HASWELL,
    wide=False,
    permutes=False,
    sparse_rows=(1, 4, 6),
    shift_rows=(4, 6),
    dense_runs={1: (3,), 2: (2,)},
    channel_tiles=(),
    channel_rows=(),
    window_rows=(7,),
    pair_rows=(),
    word_rows=(1, 2),
    word_dense_rows=(1, 2),
    strip_columns=(2,),
    plane_vectors=(4,),
    word_registers=7,
    winograd=(4, 1),
    winograd_sparse=(6, 1, 12),
    batch16_tiles=((1, 1), (2, 2), (1, 6)),
    batch16_winograd=(4, 1),
)
"""Without AVX-512, and so elsewhere: 16 registers of half a vector each."""

WASM = replace(AVX2, plane_vectors=(1,), dense_runs={1: (1,), 2: (1,)})
"""WebAssembly: its vectors are a quarter of ours, and the 16 registers of x86-64 hold the sums of fewer. Depthwise
layers go tap by tap. The two take a third off the time of a pruned MobileNetV2 in V8."""

WITH_AVX512 = replace(AVX512, permutes=WORDS)
"""AVX-512 as this machine can plan for it: what packs weights for permutations permutes itself."""
WITH_BYTE_DOTS = replace(WITH_AVX512, bytes=ZEN4_BYTES)
"""With AVX-512 VNNI too."""
HOST = WITH_BYTE_DOTS if BYTE_DOTS else WITH_AVX512 if WIDE else AVX2
"""The processor that kernels are compiled for."""
