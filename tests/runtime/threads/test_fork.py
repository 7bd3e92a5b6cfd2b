"""A model that was loaded, and ran, before a fork: it runs in the child too, with threads of its own."""

import os
import subprocess
import sys

import numpy as np
import pytest

from dcz.dcformat import Graph, make_node, write

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")

TEAM = """
import threading
from dcz.runtime.threads.team import Team
team = Team(2)
def meet():
    both = threading.Barrier(2, timeout=20)
    part = [(both.wait, ())]
    team.run([part, part], part + part)
meet()
with team._free:  # as by another thread, of which a child has nothing
    child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
meet()
assert len(team._helpers) == 1
os._exit(0)
"""

MODEL = """
import numpy as np
import dcz
from dcz.runtime.plan.steps import weighted
weighted.PARALLEL_WORK = 0
model = dcz.load(sys.argv[1], threads=2)
batches = [np.ones((n, 3, 8, 8), np.float32) for n in (1, 40)]
expected = [model(x) for x in batches]
with model._engine._planning:
    child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
assert all((model(x) == y).all() for x, y in zip(batches, expected))
assert model(np.ones((5, 3, 8, 8), np.float32)).shape == (5, 4)
os._exit(0)
"""


PREPARED = """
import os, signal, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads about
os.register_at_fork(after_in_child=lambda: signal.alarm(60))
"""


def run(script, *arguments):
    """A child that hangs, or fails, fails here."""
    subprocess.run([sys.executable, "-c", PREPARED + script, *map(str, arguments)], check=True, timeout=120)


def test_a_team_hires_again_in_a_child():
    run(TEAM)


def test_a_model_answers_the_same_in_a_child(tmp_path):
    rng = np.random.default_rng(0)
    nodes = (
        make_node("conv2d", (0,), {"weight": "c"}, {"padding": (1, 1)}),
        make_node("flatten", (1,)),
        make_node("linear", (2,), {"weight": "l"}),
    )
    tensors = {"c": rng.normal(size=(8, 3, 3, 3)), "l": rng.normal(size=(4, 512))}
    weights = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
    write(tmp_path / "m.dcz", Graph((3, 8, 8), nodes, 3), weights)
    run(MODEL, tmp_path / "m.dcz")
