"""Whether two processes run the same code: a digest of the source files of this package."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

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
