"""What a notebook shows of a model."""

from __future__ import annotations

from pathlib import Path

import dcz
from dcz.dcformat import Graph, make_node, write


def test_a_table_of_file_ends_and_sizes(small_container: Path) -> None:
    model = dcz.load(small_container, threads=1)
    page = model._repr_html_()
    size = small_container.stat().st_size
    assert page.startswith("<table>")
    assert f"<th>file</th><td>{small_container}</td>" in page
    assert f"<td>{size:,}, {928 / size:.1f} times fewer than in fp32</td>" in page
    assert "<th>input</th><td>1 x 8 x 8</td></tr><tr><th>output</th><td>3</td>" in page
    assert "<th>classes</th><td>3: cat, dog, owl</td>" in page


def test_text_of_the_file_is_escaped(tmp_path: Path) -> None:
    graph = Graph((4,), (make_node("relu", (0,)),), 1)
    write(tmp_path / "relu.dcz", graph, {}, labels=["<b>a</b>", "b", "c\x1b[0m", "d"])
    page = dcz.load(tmp_path / "relu.dcz", threads=1)._repr_html_()
    assert "<td>4: &lt;b&gt;a&lt;/b&gt;, b, c\ufffd[0m and 1 more</td>" in page
