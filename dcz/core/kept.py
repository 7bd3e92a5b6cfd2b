"""Files that processes keep for later ones: machine code and what belongs to it.

They are read from any of three folders, and written to the first that permits it. So a container image or an installer
can bring them along for users without write access. A digest shows damage, and files made for something else. It is no
signature: whoever may write to one of these folders may run code.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash

_DIGEST_BYTES, _PIECE = 32, 1 << 20


def folders(name: str, beside: str) -> list[str]:
    """Folders for files of one kind, in the order of preference.

    Parameters
    ----------
    name : str
        Of the folder in ``NUMBA_CACHE_DIR``, and in the user's cache folder.
    beside : str
        The folder beside the source, which stands between the two.
    """
    given, own = os.environ.get("NUMBA_CACHE_DIR"), _user_cache()
    first, last = ([os.path.abspath(os.path.join(root, name))] if root else [] for root in (given, own))
    return [*first, beside, *last]


def read(path: str, key: object) -> bytes | None:
    """Read what `write` kept for a key; None if it is missing, damaged, or was kept for another."""
    try:
        with open(path, "rb", buffering=0) as file:
            content = file.read()
    except OSError:
        return None
    data, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    return data if _digest(key, data).digest() == digest else None


def is_sound(path: str, key: object) -> bool:
    """Whether a file is what `write` kept for a key; reads it in pieces.

    Raises
    ------
    OSError
        It cannot be read.
    """
    with open(path, "rb", buffering=0) as file:
        left, digest = os.fstat(file.fileno()).st_size - _DIGEST_BYTES, _digest(key)
        while left > 0 and (piece := file.read(min(left, _PIECE))):
            digest.update(piece)
            left -= len(piece)
        return digest.digest() == file.read(_DIGEST_BYTES)


def write(path: str, key: object, data: bytes) -> None:
    """Keep data, with a digest behind it; a file of this name is replaced at once.

    Raises
    ------
    OSError
        It cannot be written: no right to, a full disk.
    """
    written = f"{path}.{os.urandom(8).hex()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _fill(written, data + _digest(key, data).digest())
        os.replace(written, path)
    except OSError:
        with suppress(OSError):
            os.unlink(written)
        raise


def _fill(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


def _digest(key: object, data: bytes = b"") -> _Hash:
    return sha256(repr(key).encode() + data)


def _user_cache() -> str | None:
    """The user's cache folder by the convention of the system; None for a user without a home."""
    if sys.platform == "win32":
        folder = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        folder = "~/Library/Caches"
    else:
        folder = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = os.path.expanduser(folder)
    return os.path.join(folder, "dcz") if os.path.isabs(folder) else None
