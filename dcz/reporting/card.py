"""A model card: a page of Markdown about a container, as the Hugging Face Hub shows it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..core.output import check_output, replacing, with_ending
from ..core.printable import printable
from ..dcformat import open

Info = Mapping[str, Any]

SHOWN = 20
"""Labels that a card lists before it counts."""

STAGE = {"stage": "stage", "accuracy": "held-out accuracy", "density": "density", "file_bytes": "bytes"}
"""Headings of the table of stages, by key of a stage in the report."""

CARD = """\
---
library_name: dcz
{task}tags:
- dcz
- model-compression
---

# {title}

{sizes}

```python
import dcz  # runs without any deep learning framework

model = dcz.load("{file}")
{call}
```
{sections}"""


def card(path: str | os.PathLike[str], out: str | os.PathLike[str] | None = None) -> Path:
    """Write a model card: sizes, use, layers, and accuracy where ``dcz compress`` left its report beside the container.

    Parameters
    ----------
    path : path
        The container. If ``MODEL.report.json`` exists beside it, it is read.
    out : path, optional
        The card, overwritten when the new one is whole; by default `path` with the ending ``.md``. The Hub takes
        ``README.md``.

    Returns
    -------
    Path
        The card.

    Raises
    ------
    FormatError
        The container is damaged.
    InputError
        `out` is one of the files that are read, or the report beside the container is not of this container.
    OSError
        A file cannot be read or written.
    """
    written, beside = Path(out) if out is not None else with_ending(path, ".md"), Path(path).with_suffix(".report.json")
    check_output(written, path, *([beside] if beside.exists() else []))
    with open(path) as container:
        info, labels, takes_pictures = container.info(), container.labels or [], container.preprocess is not None
    classifies = takes_pictures and bool(labels)
    sections = [_classes(labels)] if labels else []
    sections += [_layers(info)]
    sizes = f"{info['file_bytes']:,} bytes, {info['ratio']:.1f} times fewer than the network in fp32."
    if beside.exists():
        measured = _read(beside, info)
        right = f"{measured['test_accuracy']:.2%} of {measured['test_pictures']:,} test pictures"
        sizes += f" From this file dcz classifies {right} correctly."
        sections += [_table(STAGE, measured["stages"])]
    content = CARD.format(
        task="pipeline_tag: image-classification\n" if classifies else "",
        title=_text(Path(path).stem),
        sizes=sizes,
        file=printable(Path(path).name),
        call='model.predict(["picture.png"], top=3)' if classifies else _call(info),
        sections="".join(f"\n{section}\n" for section in sections),
    )
    with replacing(written) as file:
        file.write(content.encode())
    return written


def _call(info: Info) -> str:
    """A call with arrays."""
    shapes = (f"(N, {', '.join(map(str, shape))})" for shape, _ in info["inputs"].values())
    names = [f"x{number}" if len(info["inputs"]) > 1 else "x" for number in range(len(info["inputs"]))]
    return f"model({', '.join(names)})  # {' and '.join(shapes)}" if names else "# weights alone: dcz.open reads them"


def _classes(labels: list[str]) -> str:
    more = f" and {len(labels) - SHOWN:,} more" if len(labels) > SHOWN else ""
    return f"Classes: {', '.join(map(_text, labels[:SHOWN]))}{more}."


def _layers(info: Info) -> str:
    rows = [row for row in info["tensors"] if len(row["shape"]) > 1]
    names = {
        "name": "weights",
        "shape": "shape",
        "density": "density",
        "codebook_size": "values",
        "encoding": "encoding",
    }
    return _table(names, [row | {"shape": "x".join(map(str, row["shape"]))} for row in rows])


def _table(names: Mapping[str, str], rows: Iterable[Info]) -> str:
    """A table; `names` are the headings by key of a row."""
    lines = [list(names.values()), ["---"] * len(names), *([_text(row[key]) for key in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(value: object) -> str:
    """A value as text that Markdown takes as nothing else."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return "-" if value is None else "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in printable(value))


def _read(path: Path, info: Info) -> Info:
    try:
        measured: Info = json.loads(path.read_text(encoding="utf-8"))
        size = [[stage[key] for key in STAGE] for stage in measured["stages"]][-1][-1]
        float(measured["test_accuracy"]), int(measured["test_pictures"])
    except (ValueError, LookupError, TypeError):
        raise InputError("no report of dcz compress", path=path, hint="move it away") from None
    if size != info["file_bytes"]:
        what, hint = "the report is of another container", "move it away, or run dcz compress again"
        raise InputError(what, path=path, expected=f"{info['file_bytes']:,} bytes", found=f"{size:,}", hint=hint)
    return measured
