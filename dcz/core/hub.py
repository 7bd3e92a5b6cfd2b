"""Containers on the Hugging Face Hub: ``hf://org/name`` where a path would stand."""

from __future__ import annotations

from typing import TypeVar

from .errors import InputError, listed

T = TypeVar("T")

PREFIX = "hf://"
_ADDRESS = r"hf://(?P<repo>[^/@]+/[^/@]+)(@(?P<revision>[^/]+))?(/(?P<file>.+))?"


def fetched(source: T) -> T | str:
    """Fetch a container from the Hub, if the source is an address there.

    Parameters
    ----------
    source : object
        ``hf://org/name``, ``hf://org/name@revision``, either with ``/folder/file.dcz`` behind it; anything else is
        returned unchanged. Without a file the repository must hold one container.

    Returns
    -------
    object
        Path of the copy in the Hub's cache on this machine, which is used without a network too.

    Raises
    ------
    InputError
        The address is malformed, nothing or more than one thing is found there, or huggingface_hub is not installed.
    """
    if not isinstance(source, str) or not source.startswith(PREFIX):
        return source
    import re
    from pathlib import Path

    match = re.fullmatch(_ADDRESS, source)
    if match is None:
        raise InputError("not an address on the Hub", path=source, expected="hf://org/name or hf://org/name/file.dcz")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise InputError("huggingface_hub is not installed", path=source, hint="pip install 'dcz[hub]'") from None
    wanted = match["file"] or "*.dcz"
    try:
        folder = Path(snapshot_download(match["repo"], revision=match["revision"], allow_patterns=wanted))
    except (OSError, ValueError) as error:  # the library's own errors are of these kinds
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"cannot be fetched: {reason}", path=source) from None
    found = [folder / wanted] if match["file"] else sorted(folder.rglob(wanted))
    found = [file for file in found if file.is_file()]
    if len(found) != 1:
        names = listed(file.relative_to(folder).as_posix() for file in found) or "none"
        expected = match["file"] or "one .dcz file"
        hint = "name the file behind the address" if found else None
        raise InputError("no container at this address", path=source, expected=expected, found=names, hint=hint)
    return str(found[0])
