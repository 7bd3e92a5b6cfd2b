"""Memory of a conversion, measured in its own process, since torch's memory is visible only from outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

PEAK = """
import sys
from dcz.converters.convert import convert

def peak():  # ru_maxrss would count the memory of the process that started this one
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024

ways = {}, {"prune": "percent:80", "bits": 5}
out, small, *large = sys.argv[1:]
for options in ways:
    convert(small, out, **options)
before = peak()
for path in large:
    for options in ways:
        convert(path, out, **options)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the largest memory of a process is read from /proc")
def test_a_conversion_takes_a_few_times_the_checkpoint(tmp_path: Path) -> None:
    large = {"rest": torch.randn(900, 2500), "weight": torch.randn(4000, 2500)}
    files = [tmp_path / name for name in ("out.dcz", "small.pt", "large.pt", "large.safetensors")]
    torch.save({"weight": torch.randn(8, 8)}, files[1])
    torch.save(large, files[2])
    save_file(large, files[3])
    child = subprocess.run([sys.executable, "-c", PEAK, *files], capture_output=True, text=True, check=True)
    checkpoint = sum(tensor.nbytes for tensor in large.values())
    assert int(child.stdout) < 4.5 * checkpoint
