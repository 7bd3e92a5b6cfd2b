"""Server side of an engine: loads a model in its own process, and runs it on commands from a pipe.

Needs numpy alone, so that it works in every engine's environment. A script beside this one passes its functions to
`serve`. It is called as ``python SCRIPT MODEL INPUT.npy THREADS [--cpu-time]``, reports the time of loading, and then
answers lines of JSON: ``["run", N]`` with the seconds that N runs took, ``["answer", PATH]`` after writing the answer
as ``.npy``.
"""

import glob
import importlib
import json
import os
import resource
import sys
import time

import numpy as np


def serve(load, module, prepare=None):
    """Serve commands until the pipe is closed.

    Parameters
    ----------
    load : callable
        ``load(path, threads, batch)`` returns a function from a batch to an answer.
    module : str
        Module to import first; its version is reported.
    prepare : callable, optional
        ``prepare(path, batch)`` makes the files that `load` reads, beside the model. It runs in its own process with
        ``--prepare``, so it counts neither as loading nor as memory.
    """
    arguments = sys.argv[1:]
    if arguments[0] == "--prepare":
        if prepare is not None:
            prepare(arguments[1], np.load(arguments[2]))
        return
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # output of libraries goes elsewhere
    path, batch, threads = arguments[0], np.load(arguments[1]), int(arguments[2])
    timer = time.process_time if "--cpu-time" in arguments else time.perf_counter
    start = time.perf_counter()
    importlib.import_module(module)
    imported, memory = time.perf_counter(), peak_mib()
    _forget_cached(path)
    begun = time.perf_counter()
    run = load(path, threads, batch)
    loaded = time.perf_counter()
    answer = run(batch)
    answered = time.perf_counter()
    facts = {
        "version": getattr(sys.modules[module.split(".")[0]], "__version__", None),
        "import_s": imported - start,
        "load_s": loaded - begun,
        "first_s": answered - loaded,
        "import_mib": memory,
        "peak_mib": peak_mib(),
    }
    print(json.dumps(facts), file=channel, flush=True)
    for line in sys.stdin:
        command, argument = json.loads(line)
        if command == "answer":
            np.save(argument, np.asarray(answer))
            print("0", file=channel, flush=True)
            continue
        begin = timer()
        for _ in range(argument):
            run(batch)
        print(timer() - begin, file=channel, flush=True)


def peak_mib():
    """Peak memory of this process, in MiB."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):  # not Linux; ru_maxrss may count the parent's memory
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)


def _forget_cached(path):
    """Ask the system to drop the file, and files made from it, from its page cache, if it can."""
    for name in glob.glob(glob.escape(path) + "*") if hasattr(os, "posix_fadvise") else ():
        with open(name, "rb") as file:
            os.fsync(file.fileno())  # pages not written to disk yet are not dropped
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
