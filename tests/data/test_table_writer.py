"""Tables written block by block: the file of the whole table, or the earlier one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from helpers.combinations import each_row

from lstmgru.data.tables.table_writer import writing_table
from lstmgru.errors import DataError

TIMES = {
    "days": pd.date_range("2024-01-01", periods=6),
    "hours": pd.date_range("2024-01-01", periods=6, freq="h"),
    "half seconds": pd.date_range("2024-01-01", periods=6, freq="500ms"),
    "zone": pd.date_range("2024-01-01", periods=6, tz="Europe/Berlin"),
    "steps": np.arange(6),
}


def table(times: str) -> pd.DataFrame:
    values = np.array([1.5, np.nan, 0.1, 1e-7, 12345.678, -2], np.float32)
    return pd.DataFrame({"shop": ["a", "a", "b", 'x,"y"', "ü", "z"], "time": TIMES[times], "value": values})


@each_row("times", TIMES)
@each_row("name", ["x.csv", "x.csv.gz", "x.parquet"])
def test_blocks_make_the_file_that_the_whole_table_makes(tmp_path: Path, name: str, times: str) -> None:
    frame = table(times)
    with writing_table(tmp_path / name) as blocks:
        for rows in (slice(0, 1), slice(1, 1), slice(1, 4), slice(4, 6)):
            blocks.write(frame[rows])
    assert blocks.n_rows == 6
    if name.endswith(".parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / name), frame)
        assert pyarrow.parquet.ParquetFile(tmp_path / name).num_row_groups == 3
        return
    frame.to_csv(tmp_path / "whole.csv", index=False)
    assert pd.read_csv(tmp_path / name, dtype=str).equals(pd.read_csv(tmp_path / "whole.csv", dtype=str))
    with writing_table(tmp_path / name) as one:
        one.write(frame)
    assert pd.read_csv(tmp_path / name, dtype=str).equals(pd.read_csv(tmp_path / "whole.csv", dtype=str))


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.parquet", None])
def test_after_an_error_the_earlier_file_stays_and_nothing_is_printed(
    tmp_path: Path, name: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = None if name is None else tmp_path / name
    if path is not None:
        path.write_text("earlier")

    def fail() -> None:
        with writing_table(path) as blocks:
            blocks.write(table("days"))
            blocks.write(table("days"))
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fail()
    assert capsys.readouterr().out == ""
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == (
        [] if path is None else [(name, "earlier")]
    )


def test_without_a_file_the_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with writing_table(None) as blocks:
        blocks.write(table("days")[:2])
        blocks.write(table("days")[2:])
    assert capsys.readouterr().out == table("days").to_csv(index=False)


def test_what_killed_processes_left_is_removed_and_files_of_others_stay(tmp_path: Path) -> None:
    path, gone = tmp_path / "x.csv", 2**22 + 1  # no process has that number
    for name in (f".{gone}.x.csv", f".{os.getppid()}.x.csv", ".y.x.csv", f".{gone}.other.csv"):
        (tmp_path / name).touch()
    with writing_table(path) as blocks:
        blocks.write(table("days"))
    assert sorted(os.listdir(tmp_path)) == sorted([f".{os.getppid()}.x.csv", ".y.x.csv", f".{gone}.other.csv", "x.csv"])


def test_places_that_cannot_be_written_are_refused_before_there_is_a_table(tmp_path: Path) -> None:
    for name, reason in [("x.xlsx", r"\.csv, \.csv\.gz or \.parquet"), ("no/x.csv", "no is not a directory")]:
        with pytest.raises(DataError, match=reason), writing_table(tmp_path / name):
            raise AssertionError("must not be reached")


def test_later_blocks_have_the_types_of_the_first(tmp_path: Path) -> None:
    with writing_table(tmp_path / "x.parquet") as blocks:
        blocks.write(pd.DataFrame({"shop": ["a"], "label": [1.0], "p": np.array([np.nan], np.float32)}))
        blocks.write(pd.DataFrame({"shop": ["b"], "label": [2.0], "p": np.array([0.5], np.float32)}))
    assert pd.read_parquet(tmp_path / "x.parquet")["p"].dtype == np.float32
