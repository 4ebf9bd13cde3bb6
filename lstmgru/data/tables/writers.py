"""Write files whole: a reader finds the earlier file or the new one, and never a part of it."""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from lstmgru.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield the file to write, which replaces ``path`` at the end.

    A link at ``path`` is replaced and not followed, unless it leads to a device or a pipe. These are written directly.
    The new file is on the disk before it replaces the other one, so that a crash of the system leaves one of the two.

    Raises:
        OSError: The file cannot be written. It names ``path``.
    """
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        if path.exists() and not path.is_file():
            yield path
        else:
            partial.unlink(missing_ok=True)
            partial.touch(exist_ok=False)  # not what a link of that name leads to
            yield partial
            _flush(partial)
            partial.replace(path)
    except OSError as error:
        # The error of a full disk names no file, and others would name the temporary one.
        raise OSError(error.errno, os.strerror(error.errno) if error.errno else str(error), str(path)) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def followed(path: Path) -> Path:
    """Where a link leads, to write the file that a user has named through a link."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else path


def check_place(path: Path, tables: Sequence[Path] = ()) -> None:
    """Refuse a file to write where none can be, or where a table is that is read.

    Args:
        path: The file.
        tables: What is read; links and other spellings of a path are seen through.

    Raises:
        DataError: It is one of the tables, or a folder, or there is no such folder.
    """
    check_not_read(path, tables)
    if os.path.isdir(path):  # unlike Path.is_dir, without an error for a name that is too long
        raise DataError(f"{path} cannot be written: it is a folder; choose another place")
    folder = followed(path).parent
    if not os.path.isdir(folder):
        raise DataError(f"{path} cannot be written: {folder} is not a directory; choose another place")


def check_not_read(path: Path, tables: Sequence[Path]) -> None:
    """Refuse to write to a table that is read.

    Raises:
        DataError: The file is one of the tables.
    """
    if any(is_same_file(path, table) for table in tables):
        raise DataError(f"{path} is the table itself; choose another file")


def is_same_file(path: Path, other: Path) -> bool:
    """Whether two paths lead to the same file, also one that is not there yet."""
    if os.path.exists(path) and os.path.exists(other):
        return os.path.samefile(path, other)
    return os.path.realpath(path) == os.path.realpath(other)


def _flush(path: Path) -> None:
    """Wait until a file is on the disk."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes have left of :func:`written_whole` for this path."""
    for partial in path.parent.glob(f".*.{glob.escape(path.name)}"):
        pid = partial.name.removesuffix(f".{path.name}").removeprefix(".")
        if pid.isdecimal() and not runs(int(pid)):
            with suppress(OSError):
                partial.unlink()


def runs(pid: int) -> bool:
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


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole.

    Raises:
        OSError: The file cannot be written.
    """
    with written_whole(path) as file:
        file.write_text(text, encoding="utf-8")


def write_csv(frame: pd.DataFrame, path: Path, *, index: bool = False) -> None:
    """Write a frame as CSV, whole; cells are written as they are, also those that a spreadsheet takes for formulas.

    Raises:
        OSError: The file cannot be written.
    """
    with written_whole(path) as file:
        frame.to_csv(file, index=index)


@contextmanager
def scratch_file() -> Iterator[IO[bytes]]:
    """Yield an empty temporary file without a name, of which nothing is left when a process is killed.

    Raises:
        DataError: It cannot be written, as the disk is full.
    """
    with naming_scratch(), tempfile.TemporaryFile() as file:
        yield file


@contextmanager
def naming_scratch() -> Iterator[None]:
    """Name the folder of temporary files in errors of writing one, which name no file."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise DataError(
            f"{tempfile.gettempdir()}: a temporary file cannot be written: {error.strerror}; set TMPDIR to a folder "
            "with more space"
        ) from error
