"""Every kind of file is read as it was meant, or refused in one line that names it."""

from __future__ import annotations

import csv
import gzip
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from helpers.combinations import each_row

from lstmgru.data.tables.readers import read_table
from lstmgru.data.tables.table_writer import write_table
from lstmgru.errors import DataError


@pytest.fixture(params=["pyarrow", "csv"])
def _both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read text with pyarrow, and without it, as where it is not installed."""
    if request.param == "csv":
        monkeypatch.setitem(sys.modules, "pyarrow", None)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


WEATHER = "date,id,rain\n2020-01-01,a,1.5\n2020-01-02,b,\n"


@pytest.mark.usefixtures("_both")
@each_row(
    ("name", "content", "settings"),
    [
        ("x.csv", WEATHER, {}),
        ("x.CSV", WEATHER, {}),
        ("x.txt", WEATHER, {}),
        ("x.csv", "\ufeff" + WEATHER, {}),
        ("x.csv", WEATHER.replace("\n", "\r\n"), {}),
        ("x.csv", WEATHER.replace("\n", "\n\n"), {}),
        ("x.csv", WEATHER.rstrip("\n"), {}),
        ("x.csv", WEATHER.replace("date", '"date"'), {}),
        ("x.csv", WEATHER.replace("b,", "b,NA"), {}),
        ("x.csv", WEATHER.replace("1.5", " 1.5 "), {}),
        ("x.csv.gz", gzip.compress(WEATHER.encode(), mtime=0), {}),
        ("x.tsv", WEATHER.replace(",", "\t"), {}),
        ("x.tsv.gz", gzip.compress(WEATHER.replace(",", "\t").encode(), mtime=0), {}),
        ("x.csv", WEATHER.replace(",", ";"), {"delimiter": ";"}),
        ("x.csv", WEATHER.replace(",", "|"), {"delimiter": "|"}),
        ("x.csv", WEATHER.replace(",", ";").replace("1.5", "1,5"), {"delimiter": ";", "decimal": ","}),
    ],
)
def test_the_same_table_is_read_from_every_kind_of_text(
    tmp_path: Path, name: str, content: str | bytes, settings: dict[str, str]
) -> None:
    frame = read_table(write(tmp_path / name, content), **settings)

    assert list(frame.columns) == ["date", "id", "rain"]
    assert frame["date"].tolist() == ["2020-01-01", "2020-01-02"]
    assert frame["id"].tolist() == ["a", "b"]
    np.testing.assert_array_equal(frame["rain"], [1.5, np.nan])
    assert frame["rain"].dtype == np.float64


@pytest.mark.usefixtures("_both")
@each_row(
    ("cells", "expected"),
    [
        (["1", "2"], [1, 2]),
        (["1", "2.5"], [1.0, 2.5]),
        (["-1e3", "+.5"], [-1000.0, 0.5]),
        (["inf", "1"], [np.inf, 1.0]),
        (["007", "8"], ["007", "8"]),
        (["0", "0.5"], [0.0, 0.5]),
        (["12345678901234567", "1"], ["12345678901234567", "1"]),
        (["true", "FALSE"], [True, False]),
        (["DE", "NA"], ["DE", "NA"]),
        (["1", "x"], ["1", "x"]),
        (["1,5", "2"], ["1,5", "2"]),
        (["1_000", "2"], ["1_000", "2"]),
    ],
)
def test_cells_become_numbers_only_where_nothing_is_lost(
    tmp_path: Path, cells: list[str], expected: list[object]
) -> None:
    text = "n,cell\n" + "".join(f'{n},"{cell}"\n' for n, cell in enumerate(cells))

    values = read_table(write(tmp_path / "x.csv", text))["cell"].tolist()

    assert values == expected
    assert [type(value) for value in values] == [type(value) for value in expected]


@pytest.mark.usefixtures("_both")
def test_a_thousands_point_is_not_taken_for_a_decimal_point(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "n;cell\n1;1.234\n2;5,5\n")

    assert read_table(path, delimiter=";", decimal=",")["cell"].tolist() == ["1.234", "5,5"]


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".arrow"])
def test_arrow_formats_keep_types_and_give_back_an_index_as_a_column(tmp_path: Path, suffix: str) -> None:
    times = pd.date_range("2020-01-01", periods=2, freq="h", name="time")
    table = pa.Table.from_pandas(pd.DataFrame({"id": ["01", "02"], "value": [1.5, np.nan]}, index=times))
    table = table.append_column("paris", pa.array(times, pa.timestamp("ns", "Europe/Paris")))
    path = tmp_path / f"x{suffix}"
    if suffix == ".parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        with pyarrow.ipc.new_file(path, table.schema) as file:
            file.write_table(table)

    read = read_table(path)

    assert set(read.columns) == {"time", "id", "paris", "value"}
    assert read["time"].tolist() == times.tolist()
    assert str(read["paris"].dt.tz) == "Europe/Paris"
    assert read["id"].tolist() == ["01", "02"]


def test_an_arrow_stream_is_read_like_an_arrow_file(tmp_path: Path) -> None:
    table = pa.table({"n": [1, 2], "cost": pa.array(["1.10", "2.20"]).cast(pa.decimal128(5, 2))})
    with pyarrow.ipc.new_stream(tmp_path / "x.arrow", table.schema) as stream:
        stream.write_table(table)

    assert read_table(tmp_path / "x.arrow")["cost"].tolist() == [1.1, 2.2]


PARQUET = b"PAR1\x15\x04\x15\x10PAR1"
BAD_FILES = [
    ("x.csv", "", {}, r"x\.csv is empty \(0 bytes\)"),
    ("x.csv", "\n\n", {}, "first line must name the columns"),
    ("x.csv", "a,b", {}, "has a header but no rows"),
    ("x.csv", "a,b\n", {}, "has a header but no rows"),
    ("x.csv", "a;b\n1;2,5\n", {}, r"its delimiter is not ','; set data\.delimiter: \";\" \(predict: --del"),
    ("x.csv", "a\tb\n1\t2\n", {}, r"set data\.delimiter: \"\\t\""),
    ("x.csv", "a|b\n1|2\n", {}, r"set data\.delimiter: \"\|\""),
    ("x.csv", "a,b\n1,2\n", {"delimiter": ";"}, r"set data\.delimiter: \",\""),
    ("x.csv", "a,b\n1,2\n", {"delimiter": ""}, "the delimiter must be one character"),
    ("x.csv", "a,b\n1,2\n", {"decimal": ","}, "they must differ"),
    ("x.csv", "a,b\n1,2\n", {"decimal": "x"}, r"the decimal point '\.' or ','"),
    ("x.csv", "a,b\n1,2\n3,4,5\n", {}, "line 3 has 3 fields but the header has 2"),
    ("x.csv", "a,b\n1,2\n\n\n3\n", {}, "line 5 has 1 field but the header has 2"),
    ("x.csv", 'a,b\n"1\n2",3\n4,5,6\n', {}, "line 4 has 3 fields"),
    ("x.csv", 'a,b\n1,"2\n3,4\n', {}, "quotation mark is never closed"),
    ("x.csv", "a,b,a\n1,2,3\n", {}, "several columns are named 'a'"),
    ("x.csv", "a,b\n1,é\n".encode("latin1"), {}, "is not UTF-8 text; save it as"),
    ("x.csv", "é,b\n1,2\n".encode("latin1"), {}, "is not UTF-8 text; save it as"),
    ("x.csv", "a,b\n1,2\n".encode("utf-16"), {}, r"is not UTF-8 text; .* data\.encoding .*, such as utf-16"),
    ("x.csv", "a,\u4f60\n1,2\n".encode("gb18030"), {}, r"set data\.encoding .*, such as gb18030 \(Chinese\)"),
    ("x.csv", "a,b\n1,\u597d\n".encode("gb18030"), {"encoding": "ascii"}, "is not text in ascii"),
    ("x.csv", "a,b\n1,2\n", {"encoding": "base64"}, r"data\.encoding must be the name of a text encoding"),
    ("x.csv", "a,b\n1,2\n", {"encoding": "gb18031"}, "got 'gb18031'; did you mean 'gb18030'"),
    (
        "x.csv",
        "2021-01-01,10.1\n2021-01-02,10.2\n",
        {},
        r"line holds values \('2021-01-01', '10\.1'\) instead of names",
    ),
    ("x.csv", "a shop,2021-01-01 00:00,10.1\n", {}, "instead of names; name the columns in data.columns"),
    ("x.csv", "10.1,10.1\n10.2,10.2\n", {}, "instead of names"),
    ("x.csv", "7,3,5\n1,2,3\n", {}, "instead of names"),
    (
        "x.csv",
        "1,2\n3\n",
        {"columns": ("a", "b")},
        r"line 2 has 1 field but data\.columns \(predict: --columns\) names 2",
    ),
    (
        "x.csv",
        "1,2,3\n",
        {"columns": ("a", "b")},
        r"line 1 has 3 fields but data\.columns \(predict: --columns\) names 2",
    ),
    ("x.parquet", "PAR1", {"columns": ("a", "b")}, "data.columns is for text files without a header; remove it"),
    ("x.csv.gz", "a,b\n1,2\n", {}, r"is text but its name ends in \.csv\.gz; rename it to x\.csv$"),
    ("x.csv.gz", b"\0\0\0", {}, "cannot be read: Not a gzipped file"),
    ("x.CSV", PARQUET, {}, r"is a Parquet file but its name ends in \.csv; rename it to x\.parquet$"),
    ("x.csv.gz", PARQUET, {}, r"is a Parquet file but its name ends in \.csv\.gz; rename it to x\.parquet$"),
    ("x.csv", b"ARROW1\0\0" + PARQUET, {}, r"is an Arrow file but its name ends in \.csv; rename it to x\.arrow$"),
    ("x.tsv", gzip.compress(b"a\tb\n"), {}, r"is a gzip file but its name ends in \.tsv; rename it to x\.tsv\.gz$"),
    ("x.parquet", b"ARROW1\0\0" + PARQUET, {}, r"rename it to x\.arrow$"),
    ("x.parquet", WEATHER, {}, r"is text but its name ends in \.parquet; rename it to x\.csv$"),
    ("x.parquet", b"PAR1\0 damaged", {}, r"cannot be read as parquet: .*[^.]; write the file again$"),
    ("x.csv.gz", gzip.compress(WEATHER.encode() * 1000, mtime=0)[:-20], {}, "cannot be read: "),
    ("x.parquet", "PAR1 but not quite", {}, "cannot be read as parquet"),
    ("x.feather", "FEATHER", {}, "cannot be read as feather"),
    ("x.arrow", "ARROW1 but not quite", {}, "cannot be read as arrow"),
    ("x.xlsx", "PK", {}, r"must end in one of \.csv, .*but ends in '\.xlsx'"),
    ("x.cvs", WEATHER, {}, r"did you mean '\.csv'"),
    ("x", WEATHER, {}, "must end in one of"),
]


@each_row(("name", "content", "settings", "message"), BAD_FILES)
def test_a_bad_file_is_refused_in_one_line_that_names_it(
    tmp_path: Path, name: str, content: str | bytes, settings: dict[str, str], message: str
) -> None:
    path = write(tmp_path / name, content)

    with pytest.raises(DataError, match=message) as caught:
        read_table(path, **settings)

    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_without_pyarrow_bad_text_is_refused_with_the_same_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for name, content, settings, message in BAD_FILES:
        if ".csv" in name:
            path = write(tmp_path / name, content)
            with pytest.raises(DataError, match=message) as caught:
                read_table(path, **settings)
            assert str(caught.value).startswith(str(path))


def test_without_pyarrow_other_files_are_refused_and_say_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(DataError, match=r"x\.parquet: pyarrow, which reads \.parquet, is not installed; "):
        read_table(write(tmp_path / "x.parquet", "PAR1"))


def test_without_pyarrow_a_table_has_the_same_columns_types_and_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = {
        "whole": ["1", "-2", " 3 "], "gap": ["1", "", "3"], "hexadecimal": ["0x1F", "2", "NA"],
        "decimal": ["1.", ".5", "+1e-5"], "large": ["1e400", "-inf", "nan"], "zeros": ["007", "1", "2"],
        "signs": ["+1", "--1", "1"], "long": ["1234567890123456", "1", "1"], "truth": ["TRUE", "false", ""],
        "word": ["a", "", " b "], "empty": ["", "NA", "null"], "digits": ["\u0663", "1", "2"],
        "names": ["1.0", "", "NA"], "nobody": ["", "", ""],
    }  # fmt: skip
    path = tmp_path / "x.csv"
    pd.DataFrame(cells).to_csv(path, index=False)

    read = read_table(path, text=("names", "nobody"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    pd.testing.assert_frame_equal(read_table(path, text=("names", "nobody")), read)


@pytest.mark.usefixtures("_both")
def test_cells_may_be_long_and_hold_lines_and_quotes(tmp_path: Path) -> None:
    cells = ["x" * 200_000, "two\nlines", 'a "quoted" word', "a, b", "\r\n"]
    pd.DataFrame({"n": range(5), "cell": cells}).to_csv(tmp_path / "x.csv", index=False)

    assert read_table(tmp_path / "x.csv")["cell"].tolist() == cells
    assert csv.field_size_limit() == 131_072


@pytest.mark.usefixtures("_both")
def test_a_wrong_row_far_down_is_named_by_its_line(tmp_path: Path) -> None:
    rows = [f"{n},{n}" for n in range(1000)]
    rows[700] = "1,2,3"

    with pytest.raises(DataError, match="line 1402 has 3 fields"):
        read_table(write(tmp_path / "x.csv", "a,b\n" + "\n\n".join(rows)))


def test_a_missing_file_suggests_its_neighbor(tmp_path: Path) -> None:
    write(tmp_path / "weather.csv", WEATHER)

    with pytest.raises(DataError, match=r"wether\.csv does not exist; did you mean 'weather\.csv'"):
        read_table(tmp_path / "wether.csv")


def test_a_missing_folder_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist, nor does the folder"):
        read_table(tmp_path / "nowhere" / "x.csv")
    with pytest.raises(DataError, match="is a folder; name one file in it"):
        read_table(tmp_path)


def test_parquet_with_a_repeated_column_or_no_rows_is_refused(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "twice.parquet")
    pyarrow.parquet.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "empty.parquet")

    with pytest.raises(DataError, match="several columns are named 'a'"):
        read_table(tmp_path / "twice.parquet")
    with pytest.raises(DataError, match="has no rows"):
        read_table(tmp_path / "empty.parquet")


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.parquet"])
def test_a_written_table_is_read_back(tmp_path: Path, name: str) -> None:
    frame = pd.DataFrame({"id": ["a", "b"], "value": [1.5, 2.5]})

    write_table(frame, tmp_path / name)

    pd.testing.assert_frame_equal(read_table(tmp_path / name), frame)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_writing_elsewhere_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1]})

    with pytest.raises(DataError, match=r"written as \.csv, \.csv\.gz or \.parquet"):
        write_table(frame, tmp_path / "x.xlsx")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    for name, reason in [
        ("nowhere/x.csv", "nowhere is not a directory"),
        ("file/x.parquet", "file is not a directory"),
        ("folder.csv", "it is a folder"),
        (f"{'x' * 300}.csv", "File name too long"),
        (f"{'x' * 300}.parquet", "File name too long"),
    ]:
        with pytest.raises(DataError, match=f"cannot be written: .*{reason}; choose another place") as caught:
            write_table(frame, tmp_path / name)
        assert f".{os.getpid()}." not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"folder.csv", "file"}


@pytest.mark.usefixtures("_both")
def test_columns_of_names_stay_text_whatever_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("grade,kind,x\n1.0,true,1.0\nNA,,2.0\n")

    frame = read_table(path, text=("grade", "kind", "absent"))

    assert frame["grade"].tolist() == ["1.0", "NA"]
    assert frame["kind"].isna().tolist() == [False, True]
    assert (frame["kind"][0], frame["x"].tolist()) == ("true", [1, 2])


@pytest.mark.usefixtures("_both")
@each_row("name", ["x.csv", "x.csv.gz"])
@each_row("encoding", ["gb18030", "utf-16", "UTF8"])
def test_a_text_file_is_read_in_its_encoding(tmp_path: Path, name: str, encoding: str) -> None:
    content = "\u8bc4\u8bba,y\n\u5f88\u597d,1\n\u4e0d\u597d,2.5\n".encode(encoding)
    path = write(tmp_path / name, gzip.compress(content) if name.endswith(".gz") else content)

    frame = read_table(path, encoding=encoding)

    assert frame.to_dict("list") == {"\u8bc4\u8bba": ["\u5f88\u597d", "\u4e0d\u597d"], "y": [1.0, 2.5]}


@pytest.mark.usefixtures("_both")
def test_a_file_without_a_header_loses_no_row(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "2021-01-01,10\n2021-01-02,11\n")

    frame = read_table(path, columns=("day", "y"))

    assert frame.to_dict("list") == {"day": ["2021-01-01", "2021-01-02"], "y": [10, 11]}


@pytest.mark.usefixtures("_both")
@each_row("header", ["0,1,2", "2019,2020,2021", "2021-01-01,2021-01-02", "a,1.5,7", "a,2021-01-01,1", "7"])
def test_a_header_of_steps_or_years_or_with_names_is_one(tmp_path: Path, header: str) -> None:
    path = write(tmp_path / "x.csv", f"{header}\n{header}\n")

    assert list(read_table(path).columns) == header.split(",")


def test_columns_may_be_named_as_a_format_begins(tmp_path: Path) -> None:
    assert list(read_table(write(tmp_path / "x.csv", "PAR1,PAR2\n1,2\n"))) == ["PAR1", "PAR2"]
