"""Files are written whole, and nothing but the file that is named changes."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pandas as pd
import pytest

from lstmgru.data.tables.readers import read_table
from lstmgru.data.tables.writers import write_csv, write_text, written_whole


def test_a_failure_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("earlier")

    def write_half() -> None:
        with written_whole(path) as file:
            file.write_text("half of a pa")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_half()
    assert path.read_text() == "earlier"
    assert os.listdir(tmp_path) == ["page.html"]


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    target, path = tmp_path / "thesis.txt", tmp_path / "page.html"
    target.write_text("years of work")
    path.symlink_to(target)
    (tmp_path / f".{os.getpid()}.page.html").symlink_to(target)
    write_text(path, "page")
    assert (path.read_text(), path.is_symlink()) == ("page", False)
    assert target.read_text() == "years of work"
    assert sorted(os.listdir(tmp_path)) == ["page.html", "thesis.txt"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(path.read_text()))
    reader.start()
    write_text(path, "page")
    reader.join()
    assert (received, path.is_fifo()) == (["page"], True)


def test_errors_name_the_file_and_not_the_temporary_one(tmp_path: Path) -> None:
    for name in ("nowhere/page.html", "."):
        with pytest.raises(OSError, match="directory") as caught:
            write_text(tmp_path / name, "page")
        assert caught.value.filename == str(tmp_path / name)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_that_names_the_file() -> None:
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_text(Path("/dev/full"), "page")
    assert caught.value.filename == "/dev/full"


def test_a_file_is_as_readable_as_any(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    write_text(tmp_path / "page.html", "page")
    assert (tmp_path / "page.html").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_names_that_look_like_formulas_are_read_back_as_they_were(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ["=1+1", "-5", "+a", "@b", "'c"], "value": [1.0, -2.0, 3.0, 4.0, 5.0]})
    write_csv(frame, tmp_path / "a.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "a.csv", text=["id"]), frame)
