"""Addresses on the Hugging Face Hub, out of a cache that a test makes: nothing is fetched."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

import dcz
from dcz.cli import main
from dcz.core.hub import fetched

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_container: Path) -> Path:
    """The folder in which the library keeps ``org/name``, with one container."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "models--org--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    folder = repository / "snapshots" / COMMIT
    (folder / "more").mkdir(parents=True)
    shutil.copy(small_container, folder / "small.dcz")
    return folder


def test_whatever_is_no_address_stays() -> None:
    source = b"hf://"
    assert fetched(source) is source
    assert fetched("hf.dcz") == "hf.dcz"


@pytest.mark.parametrize("address", ["hf://org/name", f"hf://org/name@{COMMIT}", "hf://org/name@main/small.dcz"])
def test_the_copy_in_the_cache_is_used(snapshot: Path, address: str) -> None:
    assert Path(fetched(address)) == snapshot / "small.dcz"


def test_a_model_and_the_command_line_take_addresses(snapshot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dcz.load("hf://org/name", threads=1).labels == ["cat", "dog", "owl"]
    with dcz.open("hf://org/name") as container:
        assert container.labels == ["cat", "dog", "owl"]
    assert main(["info", "hf://org/name"]) == 0
    assert "hf://org/name: format 1.0, 1x8x8 in" in capsys.readouterr().out


def test_an_address_must_lead_to_one_container(snapshot: Path) -> None:
    with pytest.raises(dcz.InputError, match=r"expected other\.dcz, found none"):
        fetched("hf://org/name/other.dcz")
    shutil.copy(snapshot / "small.dcz", snapshot / "more" / "large.dcz")
    with pytest.raises(dcz.InputError, match=r"found more/large\.dcz, small\.dcz\); name the file behind the address"):
        fetched("hf://org/name")
    assert Path(fetched("hf://org/name/more/large.dcz")) == snapshot / "more" / "large.dcz"
    with pytest.raises(dcz.InputError, match="hf://org/unknown: cannot be fetched"):
        fetched("hf://org/unknown")


@pytest.mark.parametrize("address", ["hf://", "hf://name", "hf://org/name@"])
def test_a_malformed_address_is_refused(address: str) -> None:
    with pytest.raises(dcz.InputError, match="not an address on the Hub"):
        fetched(address)


def test_without_the_library_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(dcz.InputError, match=r"pip install 'dcz\[hub\]'"):
        dcz.load("hf://org/name")
