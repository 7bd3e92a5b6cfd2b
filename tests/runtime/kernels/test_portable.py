"""The kernels on a processor without AVX-512: the same sources, compiled for AVX2 in a process of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CASES = """
import kernel_cases as cases
from dcz.runtime.plan import select
from dcz.runtime.plan.target import AVX2, HOST
assert HOST is AVX2
for kernel, size, stride in (((3, 3), (13, 13), (1, 1)), ((1, 1), (9, 9), (1, 1)), ((5, 5), (12, 12), (2, 2))):
    case = cases.ConvCase(kernel=kernel, size=size, stride=stride, channels=(6, 9))
    for name in ("conv_sparse", "conv_dense"):
        cases.check_conv(case, name)
    if kernel != (1, 1):
        plain = cases.ConvCase(kernel=kernel, size=size, stride=stride, channels=(6, 9), epilogue="relu")
        cases.check_winograd(plain, HOST.winograd)
        cases.check_winograd_lanes(case, HOST.batch16_winograd)
    if stride == (1, 1) and kernel == (3, 3):
        cases.check_winograd_sparse(plain, HOST.winograd_sparse)
    for shape in HOST.batch16_tiles:
        cases.check_lanes(case, shape)
for size in ((2, 2), (4, 4)):
    cases.check_taps(cases.ConvCase(size=size, padding=(1, 1), channels=(12, 9)), 64, False)
cases.check_sliding(cases.ConvCase(size=(9, 32), padding=(1, 1), channels=(6, 9)), 4)
from dcz.runtime.kernels.conv.depthwise import ConvDepthwise, WindowTiling
from dcz.runtime.kernels.conv.depthwise_taps import ConvDepthwiseTaps, PlaneTiling
from dcz.runtime.kernels.conv.direct.dense_channels import ChannelTiling, ConvChannels
tile = {"rows": 4, "span": 7, "bands": 1, "budget": 50, "run": 48, "pixels": 7}
cases.check_packed(
    cases.ConvCase(channels=(6, 50), size=(9, 16)),
    lambda weight, g, epilogue: ConvChannels(weight, ChannelTiling(g, **tile), epilogue),
)
for stride in (1, 2):
    case = cases.ConvCase(channels=(6, 6), groups=6, size=(9, 16), stride=(stride, stride), padding=(1, 1))
    cases.check_packed(case, lambda weight, g, epilogue: ConvDepthwiseTaps(weight, PlaneTiling(g, 4), epilogue))
    cases.check_packed(case, lambda weight, g, epilogue: ConvDepthwise(weight, WindowTiling(g, 7), epilogue))
from dcz.runtime.kernels.conv.depthwise_pairs import ConvDepthwisePairs, PairTiling
cases.check_packed(
    cases.ConvCase(channels=(6, 6), groups=6, size=(9, 14), stride=(2, 2), padding=(1, 1), epilogue="relu"),
    lambda weight, g, epilogue: ConvDepthwisePairs(weight, PairTiling(g, 7), epilogue),
)
case = cases.LinearCase(features=(130, 40), batch=5)
for name in ("linear_sparse", "linear_dense"):
    cases.check_linear(case, name)
cases.check_linear_lanes(case)
import numpy as np
from dcz.dcformat.tensors import Dense
from dcz.runtime.kernels.contract import Epilogue, LinearGeometry
rng = np.random.default_rng(0)
weight = cases.make_weight(rng, (40, 130), 0.1, "sparse_shared", 31)
choices = select.linear_choices(weight, LinearGeometry(1, 130, 40), Epilogue())
assert not {"linear_windowed", "linear_triples"} & set(select.by_kernel(choices))
from dcz.runtime.kernels.conv.direct.sparse import conv_sparse
assembly = "".join(conv_sparse.dispatcher.inspect_asm().values())
assert "ymm" in assembly and "zmm" not in assembly
assert "vpinsrb" not in assembly  # masks are not made bit by bit
import test_operations as operations
masked = {"load_masked_or", "store_rows", "slide_up", "slide_down", "load_places", "store_places", "fma_window"}
for case in operations.CASES:
    if case.__name__ in masked:
        operations.test_both_sides_agree(case)
import integer_cases
from dcz.core.cpu import BYTE_DOTS, WORDS
assert not BYTE_DOTS and not WORDS
integer_cases.check(integer_cases.IntegerCase(channels=(5, 3), size=(5, 6), batch=1))
print("done")
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="forces an x86 processor")
@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
def test_kernels_without_avx512(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+avx2,+avx,+fma,+bmi,+bmi2,+sse4.2,+popcnt",
        "NUMBA_CACHE_DIR": str(tmp_path),  # machine code from a cache has no assembly to look at
        "PYTHONPATH": os.pathsep.join((str(TESTS), str(TESTS / "simd"), os.environ.get("PYTHONPATH", ""))),
    }
    result = subprocess.run([sys.executable, "-c", CASES], env=environment, capture_output=True, text=True, cwd="/")
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.strip() == "done"
