"""How kernels are compiled: without the GIL, and with a disk cache that starts fast and never gives stale code.

Numba's own cache looks at the source file of a kernel alone. A kernel inlines what it calls, so an edit of an imported
file would leave stale machine code behind; here a stamp covers every source of a package, and whether bounds are
checked. And what Numba does before a cached kernel runs takes longer than to read a large model: it readies its
compiler, looks for extensions, learns the types of the arguments, unpickles what its compiler knew of the kernel, and
parses the LLVM module beside the machine code. Here a kernel that is on disk is its machine code, which is linked and
called; Numba comes in when one has to be compiled.
"""

from .cache import Stamp, folder_in_use, stamp
from .compilations import COMPILATIONS, Compilations
from .kernel import Kernel, compiled, inner, make_ready
from .numba_adapter import NO_REFERENCE_COUNTS

__all__ = [
    "COMPILATIONS",
    "NO_REFERENCE_COUNTS",
    "Compilations",
    "Kernel",
    "Stamp",
    "compiled",
    "folder_in_use",
    "inner",
    "make_ready",
    "stamp",
]
