"""Values that many processes read: stored once, in a file that each process maps into its memory.

A value is pickled into the file with its arrays out of band, so that reading it maps the arrays and copies nothing. The
mapping is private and copy-on-write: all processes share the pages as long as none writes to them, and a process that
writes changes only its own copy.
"""

from __future__ import annotations

import ctypes
import gc
import io
import mmap
import os
import pickle
import sys
import tempfile
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from search.errors import NoRoom
from search.executors.temporary_folder import SHARED_FILE, own_folder

Value = TypeVar("Value")

_PAGE = 4096


class SharedFiles:
    """The data store of processes on one machine: values live in files that each of them maps."""

    def share(self, value: Value) -> Shared[Value]:
        """The value in a file.

        Raises:
            NoRoom: The temporary folder cannot hold it.
        """
        return Shared(value)

    def offload(self, value: object) -> None:
        """Move the value into a file, of which only the parts that are read are in memory.

        Raises:
            NoRoom: The temporary folder cannot hold it.
        """
        offload(value)
        give_back_memory()


class Shared(Generic[Value]):
    """A value in a file. It pickles to the path alone, and unpickles elsewhere to the value itself.

    The file is removed with this object.

    Args:
        value: Picklable; arrays in it should be contiguous.

    Raises:
        NoRoom: The temporary folder cannot hold it.
    """

    def __init__(self, value: Value) -> None:
        try:
            handle, name = tempfile.mkstemp(dir=own_folder(), suffix=SHARED_FILE)
            os.close(handle)
            self._path = Path(name)
            weakref.finalize(self, _remove_file, self._path, os.getpid())
            _write(value, self._path)
            unload_mapped()
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
    """Move the content of a value from memory into a file, wherever the value is referred to.

    When a value that contains it is shared, it refers to the same file.

    Args:
        value: Picklable, of a class with a ``__dict__``, and never modified.
    """
    if id(value) not in _offloaded:
        shared = Shared(value)
        vars(value).update(vars(shared.get()))
        _offloaded[id(value)] = shared
        weakref.finalize(value, _offloaded.pop, id(value))


_offloaded: dict[int, Shared[Any]] = {}
_latest: tuple[object, Any] | None = None


def keep_latest(key: object, read: Callable[[], Any]) -> Any:
    """A value that jobs share; a process keeps the latest one as a single object, which can cache what it derives.

    Only the latest: a process that moves on to other data no longer needs the data before.

    Args:
        key: What identifies the value.
        read: Reads it.
    """
    global _latest  # noqa: PLW0603  # a cache
    if _latest is None or _latest[0] != key:
        _latest = None  # frees it before the next one is read
        _latest = (key, read())
    return _latest[1]


def forget_latest() -> None:
    """Release what :func:`keep_latest` keeps."""
    global _latest  # noqa: PLW0603  # a cache
    _latest = None


def _load(path: Path) -> Any:
    """The value in a file."""
    return keep_latest(path, lambda: _read(path))


class _Pickler(pickle.Pickler):
    """Refers to values that already are in a file, and stores arrays of times as integers, which numpy can map."""

    def reducer_override(self, value: object) -> Any:
        if id(value) in _offloaded:
            return _offloaded[id(value)].__reduce__()
        if isinstance(value, np.ndarray) and value.dtype.kind in "mM":
            return _times, (value.view(np.int64), value.dtype)
        return NotImplemented


def _times(numbers: npt.NDArray[np.int64], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    return numbers.view(dtype)


def _write(value: object, path: Path) -> None:
    """Write the offset of the index, then the arrays, each at the start of a page, then the index."""
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
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    _mapped.add(mapped)
    content = memoryview(mapped)
    stream, places = pickle.loads(content[int.from_bytes(content[:8], "little") :])
    return pickle.loads(stream, buffers=[content[start : start + size] for start, size in places])


_mapped: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()


def unload_mapped() -> None:
    """Drop the pages of mapped files from this process; reading one again finds it in the system's cache or the file.

    Writing a value reads all pages of what it contains, and a driver needs few of them.
    """
    if hasattr(mmap, "MADV_DONTNEED"):
        for content in [*_mapped]:
            content.madvise(mmap.MADV_DONTNEED)


def _remove_file(path: Path, owner: int) -> None:
    if os.getpid() == owner:
        with suppress(OSError):  # on Windows, while it is mapped: it is removed with the folder
            path.unlink()


_C_LIBRARY = ctypes.CDLL(None) if sys.platform == "linux" else None


def give_back_memory() -> None:
    """Return unused memory of the C library, and of Arrow if it is loaded, to the system.

    They would keep it for later, which adds up over many processes.
    """
    gc.collect()  # networks and their trainers refer to each other
    trim = getattr(_C_LIBRARY, "malloc_trim", None)
    if trim is not None:
        trim(0)
    if (arrow := sys.modules.get("pyarrow")) is not None:
        arrow.default_memory_pool().release_unused()
