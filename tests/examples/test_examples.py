"""Each example runs, on small pictures and small networks."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import re
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import dcz

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def frames() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (12, 16, 3), dtype=np.uint8) for _ in range(4)]


def png(frame: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "png")
    return file.getvalue()


def test_own_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for split, label in ((split, label) for split in ("train", "test") for label in "0123456789"):
        (folder := tmp_path / split / label).mkdir(parents=True)
        for number in range(4 if split == "train" else 1):
            Image.fromarray(rng.integers(0, 256, (28, 28), dtype=np.uint8)).save(folder / f"{number}.png")
    example("own_network").compress(tmp_path, tmp_path / "digits.dcz", epochs=(1, 1, 1))
    line = r"([\d,]+) bytes, [\d.]+% of the test pictures right\n"
    dense, small = re.fullmatch(line + line, capsys.readouterr().out).groups()
    assert (dense, small) == ("320,808", f"{(tmp_path / 'digits.dcz').stat().st_size:,}")
    with dcz.open(tmp_path / "digits.dcz") as container:
        assert container.info()["ratio"] > 25
        kernels = [container.tensor(name) for name in container.entries if name.endswith("weight")]
    assert sum(map(np.count_nonzero, kernels)) == pytest.approx(0.08 * sum(kernel.size for kernel in kernels), abs=4)
    assert [len(np.unique(kernel[kernel != 0])) <= (32 if kernel.ndim == 4 else 16) for kernel in kernels] == [True] * 4


def test_camera_tells_each_change(small_container: Path, frames: list[np.ndarray]) -> None:
    model = dcz.load(small_container, threads=1)
    found = list(example("camera").watch(model, frames, over=1))
    best = [predictions[0].label for predictions in model.predict(frames)]
    changes = [i for i, label in enumerate(best) if i == 0 or label != best[i - 1]]
    assert [(number, label) for number, label, _ in found] == [(i, best[i]) for i in changes]


def test_server_answers_many_at_once(
    small_container: Path, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = example("server")
    monkeypatch.setattr(module.Classifier, "log_message", lambda *_: None)
    model = dcz.load(small_container, threads=1)
    with module.server(model, port=0) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://localhost:{server.server_port}"

        def post(body: bytes) -> object:
            with urllib.request.urlopen(address, data=body, timeout=30) as answer:
                return json.load(answer)

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(post, [png(frame) for frame in frames * 2]))
        with pytest.raises(urllib.error.HTTPError) as refused:
            post(b"not a picture")
        refused.value.close()
        server.shutdown()
    assert refused.value.code == 400
    assert answers == [[p._asdict() for p in predictions] for predictions in model.predict(frames * 2, top=3)]


def test_cold_start(small_container: Path, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL", str(small_container))
    answer = example("cold_start").handler({"body": base64.b64encode(png(frames[0])).decode()})
    ((best, *_),) = dcz.load(small_container, threads=1).predict(frames[0])
    assert json.loads(answer["body"]) == {"label": best.label, "score": round(best.score, 4)}


def test_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((EXAMPLES / "tour.ipynb").read_text())
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert (tmp_path / "mine.dcz").exists()
    assert [best.label for (best,) in names["answers"]] == list("0123456789")
