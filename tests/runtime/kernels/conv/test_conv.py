"""Convolution kernels against a float64 oracle."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from itertools import product

import kernel_cases as cases
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcz.dcformat.tensors import Tensor
from dcz.runtime.kernels.contract import ConvGeometry, Epilogue
from dcz.runtime.kernels.conv.blocks import FAR
from dcz.runtime.kernels.conv.direct.dense_channels import ChannelTiling, ConvChannels
from dcz.runtime.kernels.conv.direct.sparse import ConvSparse
from dcz.runtime.kernels.conv.direct.tile import Tiling
from dcz.runtime.kernels.conv.winograd import sparse as conv_winograd_sparse
from dcz.runtime.plan import select, select_batch16
from dcz.runtime.plan.target import AVX512, HOST
from dcz.runtime.simd import winograd_points as winograd

JIT = os.environ.get("NUMBA_DISABLE_JIT") != "1"
SETTINGS = settings(
    max_examples=80 if JIT else 12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@st.composite
def layers(draw: st.DrawFn) -> cases.ConvCase:
    groups = draw(st.sampled_from([1, 1, 1, 2, 3, 4, 6]))
    kernel = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    dilation = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    padding = (draw(st.integers(0, 3)), draw(st.integers(0, 3)))
    least = [max(1, dilation[i] * (kernel[i] - 1) + 1 - 2 * padding[i]) for i in range(2)]
    limit = 34 if JIT else 9
    return cases.ConvCase(
        seed=draw(st.integers(0, 2**32 - 1)),
        batch=draw(st.integers(1, 5)),
        channels=(draw(st.integers(1, 5)) * groups, draw(st.integers(1, 7)) * groups),
        size=tuple(draw(st.integers(n, max(n, limit))) for n in least),
        kernel=kernel,
        stride=(draw(st.integers(1, 4)), draw(st.integers(1, 4))),
        padding=padding,
        dilation=dilation,
        groups=groups,
        density=draw(st.sampled_from([0.0, 0.05, 0.3, 0.7, 1.0])),
        form=draw(st.sampled_from(cases.FORMS)),
        codebook=draw(st.sampled_from([1, 2, 31, 32, 33, 255, 256])),
        epilogue=draw(st.sampled_from(cases.EPILOGUES)),
    )


@pytest.mark.parametrize("name", ["conv_sparse", "conv_dense", "conv_unrolled"])
@SETTINGS
@given(case=layers())
def test_every_kernel_agrees_with_the_oracle(name: str, case: cases.ConvCase) -> None:
    cases.check_conv(case, name)


@pytest.mark.parametrize("name", ["conv_dense", "conv_sparse"])
@pytest.mark.parametrize("size", [(8, 16), (13, 11), (1, 5), (30, 30)])
@pytest.mark.parametrize(("stride", "padding"), [((1, 1), (0, 0)), ((2, 1), (0, 0)), ((1, 1), (1, 0))])
def test_pixels_of_pointwise_layers_are_read_where_they_lie(
    name: str, size: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> None:
    case = cases.ConvCase(channels=(6, 10), size=size, kernel=(1, 1), stride=stride, padding=padding, groups=2)
    cases.check_conv(case, name)


@pytest.mark.skipif(JIT, reason="bounds are checked without compilation alone")
def test_no_tile_of_a_pointwise_layer_reads_beyond_its_input() -> None:
    case = cases.ConvCase(channels=(6, 9), size=(14, 14), kernel=(1, 1), epilogue="none")
    for rows, span in product((4, 7), (4, 8, 16)):
        cases.check_packed(case, partial(_packed, rows=rows, span=span))


def _packed(weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue, rows: int, span: int) -> ConvSparse:
    return ConvSparse(weight, Tiling(geometry, rows, span, cases.LANES // span, 448), epilogue)


@settings(SETTINGS, max_examples=40 if JIT else 6)
@given(
    case=layers(),
    outputs=st.integers(1, 40),
    tile=st.sampled_from([(14, 2), (7, 3)]),
    span=st.integers(2, 7),
    budget=st.sampled_from([1, 50, 1536]),
)
def test_channels_in_the_lanes_agree_with_the_oracle(
    case: cases.ConvCase, outputs: int, tile: tuple[int, int], span: int, budget: int
) -> None:
    case = replace(case, channels=(case.channels[0], outputs * case.groups))
    pixels, run = tile[0], tile[1] * cases.LANES

    def pack(weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue) -> ConvChannels:
        tiling = ChannelTiling(geometry, 4, span, pixels // span, budget, run=run, pixels=pixels)
        return ConvChannels(weight, tiling, epilogue)

    cases.check_packed(case, pack)


@SETTINGS
@given(case=layers())
def test_bits_do_not_depend_on_the_batch(case: cases.ConvCase) -> None:
    whole = cases.run_conv(case, None)
    single = cases.run_conv(case, None, batch=1)
    np.testing.assert_array_equal(whole[:1], single)


@SETTINGS
@given(
    shape=st.sampled_from(HOST.batch16_tiles),
    case=layers(),
    budget=st.sampled_from([1, 50, 448]),
    pool=st.booleans(),
)
def test_samples_side_by_side_agree_with_the_oracle(
    shape: tuple[int, int], case: cases.ConvCase, budget: int, pool: bool
) -> None:
    cases.check_lanes(case, shape, budget, pool and cases.can_pool(case, shape))


@settings(SETTINGS, max_examples=25 if JIT else 6)
@given(
    case=layers(),
    size=st.sampled_from([(2, 2), (4, 4), (2, 3)]),
    budget=st.sampled_from([1, 50, 1024]),
    pool=st.booleans(),
)
def test_taps_agree_with_the_oracle(case: cases.ConvCase, size: tuple[int, int], budget: int, pool: bool) -> None:
    one = (1, 1)
    case = replace(case, size=size, kernel=(3, 3), stride=one, padding=one, dilation=one)
    cases.check_taps(case, budget, pool and cases.can_pool(case, size))


def test_taps_are_taken_for_images_of_a_tile_alone() -> None:
    weight = cases.make_weight(np.random.default_rng(0), (64, 64, 3, 3), 0.1, "sparse_shared", 31)
    for size in (2, 4):
        fits = ConvGeometry(16, 64, size, size, 64, (3, 3), (1, 1), (1, 1), (1, 1), 1, size, size)
        assert select_batch16.conv_choices(weight, fits, Epilogue())[0].kernel == "conv_taps"
        for changes in (
            {"height": 8, "width": 8, "out_height": 8, "out_width": 8},
            {"stride": (2, 2), "out_height": size // 2, "out_width": size // 2},
            {"padding": (0, 0), "height": size + 2, "width": size + 2},
            {"padding": (2, 2), "dilation": (2, 2)},
        ):
            choices = select_batch16.conv_choices(weight, replace(fits, **changes), Epilogue())
            assert "conv_taps" not in select.by_kernel(choices)


@st.composite
def square_layers(draw: st.DrawFn) -> cases.ConvCase:
    stride = draw(st.integers(1, 4))
    kernel = draw(st.integers(2 * stride + 1, 5 * stride))
    padding = (draw(st.integers(0, 4)), draw(st.integers(0, 4)))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    least = [max(1, kernel - 2 * p) for p in padding]
    return cases.ConvCase(
        seed=draw(st.integers(0, 2**32 - 1)),
        batch=draw(st.integers(1, 3)),
        channels=(draw(st.integers(1, 6)) * groups, draw(st.integers(1, 19)) * groups),
        size=tuple(draw(st.integers(n, max(n, 80 if JIT else 20))) for n in least),
        kernel=(kernel, kernel),
        stride=(stride, stride),
        padding=padding,
        groups=groups,
        density=draw(st.sampled_from([0.0, 0.3, 1.0])),
        form=draw(st.sampled_from(cases.FORMS)),
        codebook=draw(st.sampled_from([1, 33, 256])),
        epilogue=draw(st.sampled_from(cases.EPILOGUES[:-1])),
    )


@pytest.mark.parametrize("tile", [HOST.winograd, (4, 1)])
@settings(SETTINGS, max_examples=15 if JIT else 4)
@given(case=square_layers(), pool=st.booleans())
def test_winograd_agrees_with_the_oracle(tile: tuple[int, int], case: cases.ConvCase, pool: bool) -> None:
    edge = winograd.OUTPUTS[-(-case.kernel[0] // case.stride[0])][0]
    cases.check_winograd(case, tile, pool and cases.can_pool(case, (edge, edge)))


@settings(SETTINGS, max_examples=15 if JIT else 4)
@given(case=square_layers())
def test_winograd_with_small_tiles_agrees_with_the_oracle(case: cases.ConvCase) -> None:
    size = tuple(max(n, 3 - 2 * p) for n, p in zip(case.size, case.padding, strict=True))
    case = replace(case, kernel=(3, 3), stride=(1, 1), size=size)
    cases.check_winograd(case, HOST.winograd, edge=2)


@pytest.mark.parametrize("tile", [HOST.batch16_winograd, (4, 1)])
@settings(SETTINGS, max_examples=15 if JIT else 4)
@given(case=square_layers(), epilogue=st.sampled_from(cases.EPILOGUES), pool=st.booleans())
def test_winograd_on_samples_side_by_side_agrees_with_the_oracle(
    tile: tuple[int, int], case: cases.ConvCase, epilogue: str, pool: bool
) -> None:
    case, edge = replace(case, epilogue=epilogue), winograd.OUTPUTS[-(-case.kernel[0] // case.stride[0])][0]
    cases.check_winograd_lanes(case, tile, pool and cases.can_pool(case, (edge, edge)))


@st.composite
def plain_layers(draw: st.DrawFn) -> cases.ConvCase:
    """Square layers of stride 1, some of more channels than are summed or made at a time."""
    case = draw(square_layers())
    kernel = draw(st.sampled_from([3, 3, 5]))
    padding = (draw(st.integers(0, 4)), draw(st.integers(0, 4)))
    inputs, outputs = draw(st.integers(1, 40 if JIT else 17)), draw(st.integers(1, 70 if JIT else 33))
    size = tuple(max(n, kernel - 2 * p) for n, p in zip(case.size, padding, strict=True))
    channels = inputs * case.groups, outputs * case.groups
    shape = {"kernel": (kernel, kernel), "stride": (1, 1), "padding": padding, "size": size, "channels": channels}
    return replace(case, **shape)


@pytest.mark.parametrize("tile", [HOST.winograd_sparse, (6, 1, 12)])
@settings(SETTINGS, max_examples=25 if JIT else 4)
@given(case=plain_layers(), pool=st.booleans())
def test_winograd_on_sparse_weights_agrees_with_the_oracle(
    tile: tuple[int, int, int], case: cases.ConvCase, pool: bool
) -> None:
    edge = winograd.OUTPUTS[case.kernel[0]][0]
    cases.check_winograd_sparse(case, tile, pool and cases.can_pool(case, (edge, edge)))


def test_winograd_transforms_sparse_weights_again_where_inputs_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conv_winograd_sparse, "INPUT_ELEMENTS", 1)
    case = cases.ConvCase(size=(30, 33), channels=(20, 40), epilogue="relu", density=0.3)
    cases.check_winograd_sparse(case, HOST.winograd_sparse)


@pytest.mark.skipif(not JIT, reason="it takes minutes in NumPy")
def test_winograd_on_images_beyond_the_caches_agrees_with_the_oracle() -> None:
    case = cases.ConvCase(batch=1, size=(300, 290), channels=(4, 4), padding=(1, 1), epilogue="relu")
    assert FAR < 4 * 300 * 290
    cases.check_winograd(case, HOST.winograd)
    cases.check_winograd(case, HOST.winograd, pool=True)
    cases.check_winograd_sparse(case, HOST.winograd_sparse)


@pytest.mark.parametrize(("m", "r"), [(m, r) for r, outputs in winograd.OUTPUTS.items() for m in outputs])
def test_winograd_matrices_are_exact_in_rational_arithmetic(m: int, r: int) -> None:
    n = m + r - 1
    inputs, taps = np.arange(1.0, n + 1) ** 2, np.arange(1.0, r + 1)
    sums = (winograd.kernel_matrix(r, n) @ taps) * (winograd.input_matrix(n) @ inputs)
    np.testing.assert_allclose(
        winograd.output_matrix(m, n) @ sums, np.correlate(inputs, taps, "valid"), rtol=1e-12, atol=0
    )
    single = (winograd.output_matrix(m, n), winograd.input_matrix(n))
    assert all(np.array_equal(matrix, matrix.astype(np.float32)) for matrix in single)


def test_small_images_of_many_channels_take_small_tiles() -> None:
    weight = cases.make_weight(np.random.default_rng(0), (512, 512, 3, 3), 1.0, "dense", 1)
    geometry = ConvGeometry(1, 512, 7, 7, 512, (3, 3), (1, 1), (1, 1), (1, 1), 1, 7, 7)
    tilings = select._winograd(select.Problem(weight, geometry, Epilogue(), AVX512))
    assert [tiling.edge for tiling in tilings] == [2]


def test_winograd_is_left_out_where_it_must_be() -> None:
    weight = cases.make_weight(np.random.default_rng(0), (64, 64, 3, 3), 1.0, "dense", 1)
    geometry = ConvGeometry(1, 64, 40, 40, 64, (3, 3), (1, 1), (1, 1), (1, 1), 1, 40, 40)
    assert select.conv_choices(weight, geometry, Epilogue())[0].kernel == "conv_winograd"
    assert "conv_winograd" not in select.by_kernel(select.conv_choices(weight, geometry, Epilogue(residual=True)))
    dilated = replace(geometry, dilation=(2, 2), padding=(2, 2))
    assert "conv_winograd" not in select.by_kernel(select.conv_choices(weight, dilated, Epilogue()))


POINTWISE = {"kernel": (1, 1), "padding": (0, 0)}


@pytest.mark.parametrize("name", ["conv_sparse", "conv_sliding", "conv_dense", "conv_unrolled", "conv_lanes"])
@pytest.mark.parametrize(
    "changes",
    [
        {"size": (1, 1), "padding": (1, 1)},
        {"size": (1, 1), **POINTWISE},
        {"size": (55, 55), **POINTWISE},
        {"size": (7, 9), "stride": (2, 2), **POINTWISE},
        {"size": (2, 2), "padding": (1, 1)},
        {"size": (2, 2), "padding": (1, 1), "channels": (70, 40), "density": 0.1},
        {"size": (3, 3), "padding": (1, 1), "channels": (32, 18), "groups": 2, "stride": (2, 2)},
        {"size": (4, 4), "padding": (1, 1)},
        {"size": (13, 13), "padding": (1, 1)},
        {"size": (16, 32), "padding": (1, 1)},
        {"size": (40, 37), "kernel": (11, 11), "stride": (4, 4), "padding": (2, 2)},
        {"size": (9, 9), "channels": (24, 24), "groups": 24, "padding": (1, 1)},
        {"size": (9, 9), "channels": (24, 48), "groups": 24, "stride": (2, 2), "padding": (1, 1)},
        {"size": (6, 6), "channels": (300, 9), "density": 0.1},
        {"size": (6, 6), "channels": (150, 10), "groups": 2, "density": 1.0},
    ],
    ids=str,
)
@pytest.mark.skipif(not JIT, reason="too slow without compilation")
def test_shapes_of_real_networks(name: str, changes: dict[str, object]) -> None:
    case = cases.ConvCase(**{"kernel": (3, 3), **changes})
    if name == "conv_lanes":
        cases.check_lanes(case)
    else:
        cases.check_conv(case, name)
