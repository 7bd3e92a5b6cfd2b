from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import dcz
from dcz.converters import side_by_side
from dcz.converters.side_by_side import AT_A_TIME, groups, mapping


def test_groups_hold_a_bound_and_end_with_the_largest() -> None:
    sizes = {"a": AT_A_TIME * 2, "b": 10, "c": AT_A_TIME - 10, "d": 1}
    assert list(groups(sizes, 4)) == [["d", "b"], ["c"], ["a"]]
    assert list(groups(sizes, 1)) == [["d"], ["b"], ["c"], ["a"]]
    assert list(groups({}, 4)) == []


def test_results_come_in_the_order_of_the_items_and_the_first_error_is_raised() -> None:
    def halved(number: int) -> int:
        if number % 2:
            raise ValueError(number)
        return number // 2

    with mapping(3) as together:
        assert together(halved, range(0, 20, 2)) == list(range(10))
        assert together(halved, [8]) == [4]
        with pytest.raises(ValueError, match="3"):
            together(halved, [2, 3, 4, 5])


@pytest.mark.parametrize("options", [{}, {"prune": "percent:60", "bits": 3, "init": "random"}])
def test_files_are_equal_whatever_the_number_of_threads(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "AT_A_TIME", 4000)  # several groups, of several tensors each
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 30), nn.ReLU(), nn.Linear(30, 5))
    reports = []
    for threads in (1, 4):
        monkeypatch.setattr(sys.modules["dcz.converters.convert"], "cores", lambda threads=threads: threads)
        reports.append(dcz.convert(module, tmp_path / f"{threads}.dcz", input_shape=(20,), **options))
    assert (tmp_path / "1.dcz").read_bytes() == (tmp_path / "4.dcz").read_bytes()
    assert reports[0].errors == reports[1].errors
    assert list(reports[0].errors) == list(reports[1].errors)
    assert np.isfinite([error.rms_error for error in reports[0].errors.values()]).all()
