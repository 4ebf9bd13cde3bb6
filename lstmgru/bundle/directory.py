"""The directory of a bundle: its files, and replacing it atomically even if the process is killed."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lstmgru.errors import BundleError

FORMAT_VERSION = 3
READABLE_VERSIONS = (2, 3)
"""Version 2 had no ``task``: every model was a forecasting model."""

DESCRIPTION = "bundle.json"
"""The file that makes a directory a bundle."""
WEIGHTS = "weights.safetensors"
VOCABULARY = "vocabulary.json"
ONNX = "model.onnx"
CARD = "MODEL_CARD.md"
EXAMPLE = "example.json"


@contextmanager
def replacing(directory: Path) -> Iterator[Path]:
    """Yield an empty directory to fill, and move it to ``directory`` at the end.

    Leftovers of killed processes are removed first. There must be one writer at a time.

    Args:
        directory: An existing bundle is replaced; parents are created.

    Raises:
        BundleError: Something other than a bundle exists there.
    """
    directory = directory.resolve()
    directory.parent.mkdir(parents=True, exist_ok=True)
    _clean(directory)
    if directory.exists() and not _replaceable(directory):
        raise BundleError(f"{directory} exists but is not a bundle; remove it or choose another directory")
    partial = directory.with_name(f".{directory.name}.partial-{os.getpid()}")
    partial.mkdir()
    try:
        yield partial
        _swap(partial, directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def present(directory: Path) -> Path:
    """Where a bundle is: usually ``directory``; its backup if a process was killed between the two renames."""
    previous = _previous(directory.resolve())
    return previous if not directory.exists() and previous.exists() else directory


def _swap(partial: Path, directory: Path) -> None:
    previous = _previous(directory)
    if directory.exists():
        directory.rename(previous)
    partial.rename(directory)
    if previous.exists():
        previous.rename(partial)


def _clean(directory: Path) -> None:
    previous = _previous(directory)
    if previous.exists() and not directory.exists():
        previous.rename(directory)
    shutil.rmtree(previous, ignore_errors=True)
    prefix = f".{directory.name}.partial-"
    for partial in directory.parent.glob(f"{glob.escape(prefix)}*"):
        pid = partial.name.removeprefix(prefix)
        if pid.isdecimal() and not _runs(int(pid)):
            shutil.rmtree(partial, ignore_errors=True)


def _previous(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.previous")


def _replaceable(directory: Path) -> bool:
    return directory.is_dir() and ((directory / DESCRIPTION).exists() or not any(directory.iterdir()))


def _runs(pid: int) -> bool:
    """Whether another process with this ID is running."""
    if pid == os.getpid():
        return False
    if os.name == "nt":
        return True  # signal 0 is Ctrl-C there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
