"""Kernels: functions compiled on the first call for each set of argument types, or loaded from the disk cache.

Numba is imported when a kernel is compiled, and not to load one: that needs LLVM's linker alone. Who only looks into a
file needs neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache as once
from functools import update_wrapper
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from ..numba_settings import jit_is_off
from .compilations import COMPILATIONS
from .processor import Processor, compiling_for, current
from .stamps import Stamp

if TYPE_CHECKING:
    from .cache import Key
    from .cross import CrossCode

COMPILER_LOCK = RLock()
"""Held by the thread that compiles or links, one in the whole process."""
Kinds = tuple[Any, ...]
_OPTIONS = {"nogil": True, "no_cfunc_wrapper": True}
NO_REFERENCE_COUNTS = {"_nrt": False}
"""Option of Numba for functions that allocate nothing."""
_C_LAYOUT, _F_LAYOUT, _ALIGNED, _WRITEABLE = 1, 2, 0x100, 0x400
"""Flags of arrays that change the Numba type. C layout takes precedence over F layout."""


class Inner:
    """A function that compiled functions can call like one of `numba.njit`.

    Most processes compile nothing, so Numba's dispatcher, which takes time to make, is made when something is.

    Parameters
    ----------
    function : callable
    **options
        Options of `numba.njit`.
    """

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        update_wrapper(self, function)  # type: ignore[arg-type]
        self._function, self._options = function, options
        self._dispatchers: dict[Processor | None, Any] = {}

    @property
    def name(self) -> str:
        """Name of the function."""
        return self._function.__name__

    @property
    def dispatcher(self) -> Any:
        """Numba's object for the function, and for the processor that is compiled for."""
        processor = current()
        if processor not in self._dispatchers:
            from numba import njit

            _introduce()
            made = njit(**self._options)(self._function)
            if processor is not None:
                from .cross import dispatcher_for  # those who compile for this machine alone do not need it

                made = dispatcher_for(made, processor)
            self._dispatchers[processor] = made
        return self._dispatchers[processor]


class Kernel(Inner):
    """A function that is compiled on the first call for each set of argument types, or loaded from the disk cache.

    Parameters
    ----------
    function : callable
    valid : callable
        ``valid() -> tuple``: cached code is valid as long as this is the same; `stamp` makes it.
    **options
        Options of `numba.njit`.
    """

    def __init__(self, function: Callable[..., Any], valid: Stamp, **options: Any) -> None:
        super().__init__(function, **options)
        self._valid = valid
        # Another function may have the same name, and the same function may be compiled in another way.
        self._identity = function.__qualname__, function.__code__.co_firstlineno, sorted(options.items())
        self._codes: dict[Kinds, Callable[..., Any]] = {}
        self._called: dict[Kinds, Callable[..., Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Call the machine code for arguments of these types."""
        key = _quick_key(arguments)
        code = self._called.get(key)
        if code is None:
            code = self._called[key] = self.code(*arguments)
        return code(*arguments)

    def code(self, *arguments: Any) -> Callable[..., Any]:
        """The machine code for arguments of these types, as a function: to call without a look-up."""
        kinds = kinds_of(arguments)
        if kinds not in self._codes:
            with COMPILER_LOCK:
                if not self.is_made(kinds):
                    self.make(kinds, arguments)
        return self._codes[kinds]

    def is_made(self, kinds: Kinds) -> bool:
        """Whether there is machine code for these types, perhaps on disk. The caller holds the compiler's lock."""
        if kinds not in self._codes:
            from . import cache
            from .linking import MachineCode, link

            kept = cache.load(self._function, self._key(kinds))
            linked = None if kept is None else link(MachineCode(*kept), self._function)
            if linked is not None:
                self._codes[kinds] = linked
        return kinds in self._codes

    def make(self, kinds: Kinds, arguments: tuple[Any, ...]) -> None:
        """Compile for arguments of these types, and keep the machine code. The caller holds the compiler's lock."""
        from . import cache
        from .numba_adapter import compile_for

        with COMPILATIONS.one(self._function.__name__):
            self._codes[kinds], code = compile_for(self.dispatcher, arguments)
        if code is None or not cache.save(self._function, self._key(kinds), code):
            COMPILATIONS.unkept += 1

    def code_for(self, processor: Processor, arguments: tuple[Any, ...]) -> CrossCode:
        """Compile for another processor and the types of some arguments, or load what was kept."""
        from . import cache
        from .cross import CrossCode, compile_for_other

        key = self._key(kinds_of(arguments), processor)
        with COMPILER_LOCK:
            kept = cache.load(self._function, key)
            if kept is not None:
                return CrossCode(*kept)
            with COMPILATIONS.one(self._function.__name__), compiling_for(processor):
                code: CrossCode = compile_for_other(self.dispatcher, arguments)
            if not cache.save(self._function, key, code):
                COMPILATIONS.unkept += 1
            return code

    def _key(self, kinds: Kinds, *processor: Processor) -> Key:
        from .cache import Key

        return Key((*self._identity, *processor), kinds, self._valid())


_preparations: list[Callable[[], object]] = []


def before_compiling(prepare: Callable[[], object]) -> None:
    """Call a function before the first kernel is compiled, or now if one has been.

    What tells Numba of new instructions imports Numba, which is too slow for those who compile nothing.
    """
    if _introduce.cache_info().currsize:
        prepare()
    else:
        _preparations.append(prepare)


@once
def _introduce() -> None:
    """Tell Numba that to a compiled function that calls it, an `Inner` has the type of its dispatcher."""
    from numba.extending import typeof_impl

    from .numba_adapter import type_of_dispatcher

    typeof_impl.register(Inner)(lambda value, context: type_of_dispatcher(value.dispatcher))
    for prepare in _preparations:
        prepare()


def kinds_of(arguments: tuple[Any, ...]) -> Kinds:
    """A key that differs where Numba's types of the arguments differ."""
    return tuple(map(_kind, arguments))


def _quick_key(arguments: tuple[Any, ...]) -> Kinds:
    """A key that differs where `kinds_of` does, and elsewhere too: made in two thirds of the time."""
    return tuple(
        [
            (value.dtype, value.ndim, value.flags.num)
            if isinstance(value, np.ndarray)
            else _quick_key(value)
            if isinstance(value, tuple)
            else type(value)
            for value in arguments
        ]
    )


def _kind(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        flags: int = value.flags.num
        layout = flags & _C_LAYOUT or flags & _F_LAYOUT
        return value.dtype, value.ndim, layout | flags & (_ALIGNED | _WRITEABLE)
    return kinds_of(value) if isinstance(value, tuple) else type(value).__name__


def make_ready(calls: Iterable[tuple[Callable[..., Any], tuple[Any, ...]]]) -> None:
    """Load or compile the kernels among the functions of some calls, for the types of their arguments.

    Kernels to compile are counted first, so that progress has a total.
    """
    with COMPILER_LOCK:
        missing = {}
        for function, arguments in calls:
            if isinstance(function, Kernel) and not function.is_made(kinds := kinds_of(arguments)):
                missing[function, kinds] = arguments
        with COMPILATIONS.expected(len(missing)):
            for (kernel, kinds), arguments in missing.items():
                kernel.make(kinds, arguments)


def compiled(function: Callable[..., Any], valid: Stamp, **options: Any) -> Any:
    """Compile a function on its first call for each set of argument types, or load it from the cache.

    With ``NUMBA_DISABLE_JIT=1`` the function stays as it is and runs on NumPy alone. Where no cache can be written
    (``NUMBA_CACHE_DIR``, else beside the source, else the user's cache folder), it is compiled in each process.

    Parameters
    ----------
    function, valid, **options
        As `Kernel` takes them.
    """
    return function if jit_is_off() else Kernel(function, valid, **_OPTIONS, **options)


def inner(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function that only compiled functions call, as part of them."""
    return function if jit_is_off() else Inner(function, **_OPTIONS, **options)
