"""Values that many processes read: kept once, in a file that each of them maps into its memory.

A value is pickled into the file with its arrays beside it, so that reading it maps them and copies nothing. The mapping
is private to a process and copied on write: pages are one copy for all as long as nobody writes to them, and who does
write changes his own copy alone.

The files lie in a folder of the process below the system's folder for temporary files. It goes when the process ends;
what a killed process left behind goes when the next one makes its own.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import shutil
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from search.errors import NoRoom

if TYPE_CHECKING:
    from filelock import BaseFileLock

Value = TypeVar("Value")

_PREFIX, _LOCK = "lstmgru-search-", "lock"
# A folder that young may be about to be locked.
_SECONDS_TO_LOCK = 60.0
_PAGE = 4096


class Shared(Generic[Value]):
    """A value in a file. Pickled, it is the path alone, and unpickled elsewhere it is the value itself.

    The file goes with this object.

    Args:
        value: Picklable; arrays in it should be contiguous.

    Raises:
        NoRoom: The folder for temporary files cannot hold it.
    """

    def __init__(self, value: Value) -> None:
        try:
            handle, name = tempfile.mkstemp(dir=_own_folder(), suffix=".shared")
            os.close(handle)
            self._path = Path(name)
            weakref.finalize(self, _remove_file, self._path, os.getpid())
            _write(value, self._path)
        except OSError as error:
            raise NoRoom(
                f"the data of the study cannot be written to {tempfile.gettempdir()}, where the workers would read "
                f"them: {error.strerror or error}; make room there, or set TMPDIR to a folder that has it"
            ) from error

    def get(self) -> Value:
        """The value, mapped into this process too."""
        value: Value = _load(self._path)
        return value

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return _load, (self._path,)


def offload(value: object) -> None:
    """Have what a value holds lie in a file from now on, wherever the value is referred to, and no longer in memory.

    A value of which it is a part refers to that file when it is shared.

    Args:
        value: Of a class of ours: picklable, and never changed.
    """
    if id(value) not in _settled:
        shared = Shared(value)
        vars(value).update(vars(shared.get()))
        _settled[id(value)] = shared
        weakref.finalize(value, _settled.pop, id(value))


_settled: dict[int, Shared[Any]] = {}
_latest: tuple[Path, Any] | None = None


def _load(path: Path) -> Any:
    """The value in a file; of the latest one there is one object in a process, so that it can keep what it works out.

    Only of the latest: a process that goes on to other data has no use for those before.
    """
    global _latest  # noqa: PLW0603  # a cache
    if _latest is None or _latest[0] != path:
        _latest = None  # before the next one is read
        _latest = (path, _read(path))
    return _latest[1]


class _Pickler(pickle.Pickler):
    """Leaves out what is in a file already, and arrays of times, which are no buffers to numpy."""

    def reducer_override(self, value: object) -> Any:
        if id(value) in _settled:
            return _settled[id(value)].__reduce__()
        if isinstance(value, np.ndarray) and value.dtype.kind in "mM":
            return _times, (value.view(np.int64), value.dtype)
        return NotImplemented


def _times(numbers: npt.NDArray[np.int64], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    return numbers.view(dtype)


def _write(value: object, path: Path) -> None:
    """Write a value: where the index begins, then the arrays from whole pages on, then the index."""
    buffers: list[pickle.PickleBuffer] = []
    stream = io.BytesIO()
    _Pickler(stream, protocol=5, buffer_callback=buffers.append).dump(value)
    places: list[tuple[int, int]] = []
    with path.open("wb") as file:
        end = 8
        for buffer in buffers:
            with buffer.raw() as raw:
                start = -(-end // _PAGE) * _PAGE
                file.seek(start)
                file.write(raw)
                places.append((start, raw.nbytes))
                end = start + raw.nbytes
        file.seek(end)
        file.write(pickle.dumps((stream.getvalue(), places)))
        file.seek(0)
        file.write(end.to_bytes(8, "little"))


def _read(path: Path) -> Any:
    with path.open("rb") as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    stream, places = pickle.loads(content[int.from_bytes(content[:8], "little") :])
    return pickle.loads(stream, buffers=[content[start : start + size] for start, size in places])


_folder: tuple[Path, int, BaseFileLock] | None = None


def _own_folder() -> Path:
    """The folder of this process, locked as long as it lives; of a process that was forked, another one."""
    global _folder  # noqa: PLW0603  # one for the process
    if _folder is None or _folder[1] != os.getpid():
        from filelock import FileLock

        for left in _left_behind():
            shutil.rmtree(left, ignore_errors=True)
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = FileLock(path / _LOCK)
        lock.acquire(timeout=0)
        _keep(path)
        _folder = (path, os.getpid(), lock)
        weakref.finalize(lock, _remove_folder, path, os.getpid())
    return _folder[0]


def _keep(folder: Path) -> None:
    """Lock the folder itself: what clears away old temporary files leaves it alone then, as systemd-tmpfiles does."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_SH)


def _left_behind() -> Iterator[Path]:
    """Folders of processes that were killed: nobody holds their lock."""
    from filelock import FileLock, Timeout

    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError, Timeout):  # of another user, or gone already, or in use
            if time.time() - path.stat().st_mtime > _SECONDS_TO_LOCK:
                with FileLock(path / _LOCK).acquire(timeout=0):
                    pass
                yield path


def _remove_file(path: Path, owner: int) -> None:
    if os.getpid() == owner:
        with suppress(OSError):  # on Windows, while it is mapped: it goes with the folder
            path.unlink()


def _remove_folder(path: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(path, ignore_errors=True)
