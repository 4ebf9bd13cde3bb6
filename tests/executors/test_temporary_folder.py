"""The folder of a process goes with it, and no other folder does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.studies import program_environment

from search.executors import temporary_folder as folders
from search.executors.temporary_folder import own_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither SIGKILL nor modes of folders")

USE = """
import os, signal
from search.executors.sharing import Shared
shared = Shared(list(range(1000)))
print(shared._path.parent, flush=True)
{end}
"""
KILL = "os.kill(os.getpid(), signal.SIGKILL)"
LIBRARY = """
import os, signal, tempfile
from search.executors.temporary_folder import keep_files_of_libraries_here
keep_files_of_libraries_here()
open(os.path.join(tempfile.mkdtemp(), "model.py"), "w").close()
{end}
"""
WORK = """
import multiprocessing, os, signal
from helpers.executors import no_warm_up
from search.executors.base import WorkerSettings
from search.executors.processes import ProcessExecutor
with ProcessExecutor(WorkerSettings(no_warm_up, 1, preload=("os",))):
    {end}
"""


def names_after(program: str, end: str, folder: Path) -> list[str]:
    """What is in the temporary folder after a process that ended so."""
    command = [sys.executable, "-c", program.format(end=end)]
    environment = program_environment(TMPDIR=str(folder), PYTHONPATH=os.pathsep.join(sys.path))
    subprocess.run(command, capture_output=True, timeout=60, check=False, env=environment)
    return os.listdir(folder)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A temporary folder of its own, whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")
def test_a_temporary_folder_whose_path_is_too_long_for_sockets_is_an_error_with_a_way_out(temporary: Path) -> None:
    folder = temporary / ("long" * 20)
    folder.mkdir()
    command = [sys.executable, "-c", WORK.format(end="pass")]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=program_environment(TMPDIR=str(folder), PYTHONPATH=os.pathsep.join(sys.path)),
    )
    assert "WorkersCannotStart: worker processes need a socket in the temporary folder" in done.stderr
    assert "set TMPDIR to a folder with a shorter path" in done.stderr
    assert os.listdir(folder) == []


@pytest.mark.parametrize("program", [USE, LIBRARY, WORK])
def test_the_folder_goes_with_the_process_or_with_the_next_one_if_it_was_killed(temporary: Path, program: str) -> None:
    (left,) = names_after(program, KILL, temporary)
    assert left.startswith("lstmgru-search-")
    assert names_after(program, "pass", temporary) == []


def test_the_folder_of_a_process_that_runs_stays(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(folders, "_folder", None)
    mine = own_folder()
    assert names_after(USE, "pass", temporary) == [mine.name]


def work_in(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / "study.yaml").write_text("name: study")
    (folder / "data.shared").write_text("not what you think")


def linked(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir(mode=0o700)
    (folder.parent / "elsewhere" / folders._MARKER).touch()
    folder.symlink_to("elsewhere")


def marked(folder: Path, mode: int = 0o700) -> None:
    """As a killed process leaves it."""
    folder.mkdir()
    folder.chmod(mode)
    for name in (folders._MARKER, "lock", "data.shared"):
        (folder / name).touch()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "listener-12345678"))
    listener.close()


def with_a_file(folder: Path) -> None:
    marked(folder)
    (folder / "thesis.tex").touch()


def with_a_folder(folder: Path) -> None:
    marked(folder)
    (folder / "results.shared").mkdir()


def with_a_link(folder: Path) -> None:
    marked(folder)
    (folder / "more.shared").symlink_to("/etc/hostname")


FOREIGN: dict[str, Callable[[Path], None]] = {
    "empty": lambda folder: folder.mkdir(mode=0o700),
    "a file": lambda folder: folder.touch(),
    "a user's work": work_in,
    "a link to another folder": linked,
    "open to others": lambda folder: marked(folder, 0o755),
    "with another file": with_a_file,
    "with a folder": with_a_folder,
    "with a link": with_a_link,
}


@pytest.mark.parametrize("name", FOREIGN)
def test_no_other_folder_is_removed_or_changed(temporary: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    marked(temporary / "lstmgru-search-left")
    FOREIGN[name](temporary / "lstmgru-search-work")
    for path in temporary.rglob("*"):
        os.utime(path, (0, 0), follow_symlinks=False)
    before = sorted(temporary.rglob("lstmgru-search-work/**"))
    assert [path.name for path in folders._left_behind()] == ["lstmgru-search-left"]
    assert sorted(temporary.rglob("lstmgru-search-work/**")) == before


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give a folder away")
def test_the_folder_of_another_user_stays(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    marked(temporary / "lstmgru-search-other")
    os.chown(temporary / "lstmgru-search-other", 12345, 12345)
    assert list(folders._left_behind()) == []


def test_a_file_that_appears_meanwhile_keeps_its_folder(temporary: Path) -> None:
    with_a_file(temporary / "lstmgru-search-left")
    folders._remove_folder(temporary / "lstmgru-search-left")
    assert os.listdir(temporary / "lstmgru-search-left") == ["thesis.tex"]


def test_a_folder_in_which_a_library_still_writes_is_left_to_a_later_process(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = temporary / "lstmgru-search-left"
    marked(folder)
    (folder / folders._LIBRARIES).mkdir()

    def write_on(path: Path, *, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise OSError(f"{path} is not empty")

    with monkeypatch.context() as patch:
        patch.setattr(folders.shutil, "rmtree", write_on)
        folders._remove_folder(folder)
    assert folders._is_ours(folder)
    folders._remove_folder(folder)
    assert not folder.exists()
