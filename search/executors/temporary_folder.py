"""The folder of a process in the system's temporary folder, for files that go with the process.

It is removed when the process ends; the folder of a killed process is removed by the next process that creates one.
Only a folder that holds such files, and nothing else, is ever removed. What libraries write goes into one folder in it.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import stat
import sys
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

SHARED_FILE = ".shared"
"""End of the names of files that hold values."""

_PREFIX, _LOCK = "lstmgru-search-", "lock"
_MARKER = "temporary-files-of-lstmgru-search"
"""The file that makes a folder one of these; it is written once the folder is locked."""
_LIBRARIES = "libraries"
"""The folder for files whose names libraries choose."""
_SOCKET = "listener-"
"""Begin of the names of multiprocessing's sockets."""
_LONGEST_SOCKET = 100
"""Length of the longest path of a socket, in bytes; systems allow 104 to 108."""

_folder: tuple[Path, int, BaseFileLock] | None = None


def own_folder() -> Path:
    """The folder of this process, locked as long as it lives; a forked process has its own."""
    global _folder  # noqa: PLW0603  # one for the process
    if _folder is None or _folder[1] != os.getpid():
        from filelock import FileLock

        for left in _left_behind():
            _remove_folder(left)
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = FileLock(path / _LOCK)
        lock.acquire(timeout=0)
        (path / _MARKER).touch()
        _keep(path)
        _folder = (path, os.getpid(), lock)
        weakref.finalize(lock, _remove_folder, path, os.getpid())
    return _folder[0]


def keep_sockets_here() -> None:
    """Have :mod:`multiprocessing` create its sockets in the folder of this process, so that a kill leaves no other.

    It does so only if it has not yet created any in this process, and if their paths are not too long there.
    """
    folder = own_folder()
    config = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    if config.get("tempdir") is None and len(os.fsencode(folder / f"{_SOCKET}12345678")) <= _LONGEST_SOCKET:
        config["tempdir"] = str(folder)


def keep_files_of_libraries_here() -> Path:
    """Make a folder in that of this process the one where :mod:`tempfile` creates files."""
    folder = own_folder() / _LIBRARIES
    folder.mkdir(mode=stat.S_IRWXU, exist_ok=True)
    tempfile.tempdir = str(folder)
    return folder


def remove_own_folder() -> None:
    """Remove the folder of this process now, as before :func:`os._exit`."""
    if _folder is not None:
        _remove_folder(_folder[0], _folder[1])


def _keep(folder: Path) -> None:
    """Lock the folder itself, so that cleaners of old temporary files, such as systemd-tmpfiles, leave it alone."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_SH)


def _left_behind() -> Iterator[Path]:
    """Folders of killed processes: their locks are free."""
    from filelock import FileLock, Timeout

    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError, Timeout):  # gone already, or in use
            if not _is_ours(path):
                continue
            with FileLock(path / _LOCK).acquire(timeout=0):
                pass
            yield path


def _is_ours(folder: Path) -> bool:
    """Whether :func:`own_folder` of this user created the folder, and nobody has put anything else into it.

    Raises:
        OSError: It cannot be read.
    """
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return False
    if sys.platform != "win32" and (found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != stat.S_IRWXU):
        return False
    return (folder / _MARKER).exists() and all(map(_is_own_file, folder.iterdir()))


def _is_own_file(path: Path) -> bool:
    mode = path.lstat().st_mode
    if stat.S_ISSOCK(mode):
        return path.name.startswith(_SOCKET)
    if stat.S_ISDIR(mode):
        return path.name == _LIBRARIES
    return stat.S_ISREG(mode) and (path.name in (_MARKER, _LOCK) or path.name.endswith(SHARED_FILE))


def _remove_folder(path: Path, owner: int | None = None) -> None:
    """Remove the files of a folder that are ours, the marker last, and the folder if it is empty then.

    A folder in which a library still writes keeps its marker, so that a later process removes it.
    """
    if owner not in (None, os.getpid()):
        return
    with suppress(OSError):
        shutil.rmtree(path / _LIBRARIES, ignore_errors=True)
        if (path / _LIBRARIES).exists():
            shutil.rmtree(path / _LIBRARIES)  # what was created meanwhile
        for file in sorted(filter(_is_own_file, path.iterdir()), key=lambda file: file.name == _MARKER):
            file.unlink()
        path.rmdir()
