"""Compilation of kernels: without the GIL, with a disk cache that starts fast and never returns stale code.

Numba's own cache looks at the source file of a kernel alone. But a kernel inlines the functions that it calls, so an
edit of an imported file would leave stale machine code behind. Here a stamp covers every source file of a package, and
the setting of bounds checks. Numba's cache is also slow to start: before a cached kernel runs, Numba initialises its
compiler, looks for extensions, infers the types of the arguments, unpickles compiler data and parses an LLVM module.
That takes longer than reading a large model. Here the disk holds machine code alone, which is linked and called;
Numba's compiler starts only when a kernel has to be compiled, and Numba is imported only when a kernel is needed.
"""

from .compilations import COMPILATIONS, Compilations
from .kernel import NO_REFERENCE_COUNTS, Kernel, before_compiling, compiled, inner, kinds_of, make_ready
from .processor import Processor, current
from .stamps import Stamp, stamp

__all__ = [
    "COMPILATIONS",
    "NO_REFERENCE_COUNTS",
    "Compilations",
    "Kernel",
    "Processor",
    "Stamp",
    "before_compiling",
    "compiled",
    "current",
    "inner",
    "kinds_of",
    "make_ready",
    "stamp",
]
