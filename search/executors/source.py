"""Whether two processes run the same code: digests of the source files of this package, and of registered code."""

from __future__ import annotations

import hashlib
import inspect
import linecache
import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGE = "lstmgru-search"
_SOURCES = ("lstmgru", "search")
"""The importable packages of :data:`PACKAGE`."""


@cache
def source_digest() -> str:
    """SHA-256 of the source files of this package, with their names, as they are when a process first asks."""
    digest = hashlib.sha256()
    for package in _SOURCES:
        spec = find_spec(package)
        for folder in spec.submodule_search_locations or () if spec else ():
            names = {path.relative_to(folder).as_posix(): path for path in Path(folder).rglob("*.py")}
            for name in sorted(names):
                digest.update(f"{package}/{name}:".encode() + hashlib.sha256(names[name].read_bytes()).digest())
    return digest.hexdigest()


def digest_of_code(registered: Iterable[Any]) -> str:
    """SHA-256 of the files in which classes, their base classes, and functions are defined; of cells in a notebook.

    Code that can be read nowhere, as of ``python -c``, is never the same as that of another process.
    """
    digest = hashlib.sha256()
    for text in sorted({text for each in registered for text in _texts(each)}):
        digest.update(hashlib.sha256(text).digest())
    return digest.hexdigest()


def _texts(registered: Any) -> Iterator[bytes]:
    for part in inspect.getmro(registered) if inspect.isclass(registered) else (registered,):
        file = getattr(sys.modules.get(part.__module__), "__file__", None)
        if file is not None:
            yield _text(file)
            continue
        for each in (part, *getattr(part, "__dict__", {}).values()):
            if inspect.isfunction(each):
                yield _text(each.__code__.co_filename)


def _text(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError:  # IPython keeps the cells of a notebook in this cache
        return "".join(linecache.getlines(file)).encode() or os.urandom(32)
