"""Compiled programs are found where they are right, and left alone where they are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import dcz
from dcz.aot.programs import check_programs, keep_programs, levels_of
from dcz.core import compilers, kept
from dcz.core.host import level
from dcz.core.levels import LEVELS
from dcz.core.readahead import Content
from dcz.dcformat import Graph, InputError, make_node, write
from dcz.runtime.compiled import place
from dcz.runtime.network import Network

SAMPLES = np.random.default_rng(0).standard_normal((37, 40)).astype(np.float32)


def is_compiled(path: Path, threads: int = 1, **options: str) -> bool:
    """Whether a program is found; checks the answers."""
    model = dcz.load(path, threads=threads, **options)  # type: ignore[arg-type]
    for samples in (0, 1, 4, 16, 37):
        np.testing.assert_array_equal(model(SAMPLES[:samples]), np.maximum(SAMPLES[:samples], 0))
    return model._engine._programs is not None


def test_a_program_runs_in_place_of_the_plan(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "plan", lambda *_: pytest.fail("planned"))
    assert is_compiled(network)
    assert is_compiled(network, precision="auto")
    constant = SAMPLES.copy()
    constant.setflags(write=False)
    np.testing.assert_array_equal(dcz.load(network)(constant), np.maximum(SAMPLES, 0))


def test_a_model_with_programs_tells_what_one_without_tells(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = dcz.load(network, threads=1)
    monkeypatch.setenv("DCZ_PROGRAMS", "0")
    planned = dcz.load(network, threads=1)
    assert compiled._engine.facts == planned._engine.facts
    assert repr(compiled) == repr(planned)
    assert compiled.stats.keys() == planned.stats.keys()
    assert compiled.noise(1).keys() == compiled.input_shapes.keys()
    assert [layer for layer, _ in compiled.time_layers(SAMPLES, rounds=1)] == compiled.stats["layers"]


def test_arrays_that_are_not_contiguous(network: Path) -> None:
    model = dcz.load(network, threads=1)
    wide = np.repeat(SAMPLES, 2, axis=1)
    for samples in (1, 16):
        np.testing.assert_array_equal(model(wide[:samples, ::2]), np.maximum(SAMPLES[:samples], 0))


@pytest.mark.parametrize(
    "setting",
    ["DCZ_PROGRAMS=0", "DCZ_WINOGRAD=0", "NUMBA_BOUNDSCHECK=1", "NUMBA_CPU_NAME=generic"],
)
def test_settings_that_programs_were_not_compiled_for(
    network: Path, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _, value = setting.partition("=")
    monkeypatch.setenv(name, value)
    assert not is_compiled(network)


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr("dcz.runtime.compiled.find.machine", lambda: ("another processor",)),
        lambda patch: patch.setattr(place, "host", lambda: None),
        lambda patch: patch.setattr(place, "source_digest", lambda folder: "other sources"),
        lambda patch: patch.setattr("dcz.runtime.compiled.find.compilers", lambda: ["other", "versions"]),
        lambda patch: patch.setattr("numpy.__version__", "99"),
    ],
)
def test_stale_programs(
    network: Path, change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch)
    assert not is_compiled(network)


def test_a_machine_without_numba_takes_what_one_with_it_compiled(
    network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compilers, "find_spec", lambda name: None)
    assert compilers.compilers() is None
    assert is_compiled(network)


@pytest.mark.skipif(level() is None, reason="programs are kept for levels of x86-64")
def test_programs_for_machines_of_another_level(network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder made here is a machine's of that level, and no other's."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "given"))
    content, (target,) = Content(network), levels_of("x86-64-v3")
    keep_programs(content, Network(dcz.open(content)), 1, target)
    monkeypatch.setattr("dcz.runtime.compiled.find.machine", lambda: "x86-64-v3")
    assert is_compiled(network)
    monkeypatch.setattr("dcz.runtime.compiled.find.machine", lambda: "x86-64-v4")
    assert not is_compiled(network)


@pytest.mark.parametrize("names", ["aarch64", "x86-64-v2", "native", "x86-64-v2,x86-64-v3"])
def test_targets_without_programs(names: str) -> None:
    with pytest.raises(InputError, match=r"programs are not kept for every target .expected x86-64-v3, x86-64-v4,"):
        levels_of(names)


def test_a_level_is_told_by_what_the_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = [feature.linux for feature in LEVELS["x86-64-v3"]]
    for said, found in ((flags, "x86-64-v3"), ([*flags, "avx512f"], "x86-64-v3"), (flags[:-1], None)):
        monkeypatch.setattr("dcz.core.host.host", lambda said=said: ("x86_64", f"flags: {' '.join(said)}"))
        assert level.__wrapped__() == found


def test_tuning_and_other_containers(network: Path, tmp_path: Path) -> None:
    assert is_compiled(network, threads=2)
    assert not is_compiled(network, tuning=str(tmp_path / "tuning.json"))
    write(tmp_path / "other.dcz", Graph((40,), (make_node("relu", (0,)),), 1), {}, metadata={"other": "yes"})
    assert not is_compiled(tmp_path / "other.dcz")


def test_a_container_of_another_size_is_not_read_at_once(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "other.dcz", Graph((40,), (make_node("relu", (0,)),), 1), {}, metadata={"other": "yes"})
    monkeypatch.setattr("dcz.runtime.compiled.find.digest_of", lambda content: pytest.fail("read"))
    assert not is_compiled(tmp_path / "other.dcz")


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:999] + b"x" + data[1000:]]
)
def test_damaged_programs(network: Path, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    for file in (tmp_path / "cache").rglob("*.program"):
        file.write_bytes(damage(file.read_bytes()))
    assert not is_compiled(network)


def test_one_size_that_is_missing_is_planned(network: Path, tmp_path: Path) -> None:
    for size in (4, 16):
        (file,) = (tmp_path / "cache").rglob(f"*-{size}-*.program")
        file.unlink()
    assert is_compiled(network)


def test_files_that_cannot_be_loaded(network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in (tmp_path / "cache").rglob("*.program"):
        file.write_bytes(b"no shared library")
    monkeypatch.setattr(kept, "is_sound", lambda path, key: True)
    assert not is_compiled(network)


def test_the_folder_may_be_elsewhere_and_read_only(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").rename(tmp_path / "other")
    monkeypatch.setattr(kept, "_fill", lambda path, content: pytest.fail(f"{path} was written"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "other"))
    assert is_compiled(network)


def test_programs_of_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        check_programs()
    except InputError as error:
        pytest.skip(str(error))
    rng, path = np.random.default_rng(0), tmp_path / "pointwise.dcz"
    weight = rng.standard_normal((64, 128, 1, 1)).astype(np.float32)
    node = make_node("conv2d", (0,), {"weight": "w"})
    write(path, Graph((128, 14, 14), (node,), 1), {"w": weight})
    x = rng.standard_normal((5, 128, 14, 14)).astype(np.float32)
    planned = dcz.load(path, threads=1, precision="s16")
    assert planned.stats["layers"][0]["kernel"] == "conv_words_dense"
    wanted = planned(x)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    content = Content(path)
    keep_programs(content, Network(dcz.open(content), "s16"), threads=1)
    assert dcz.load(path, threads=1)._engine._programs is None
    model = dcz.load(path, threads=1, precision="s16")
    assert model._engine._programs is not None
    np.testing.assert_array_equal(model(x), wanted)
