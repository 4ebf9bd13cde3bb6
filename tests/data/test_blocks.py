"""Files read in blocks of whole series: the same rows as at once, whatever their order and format."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from helpers.combinations import each_row

from lstmgru.data.tables import arrow_text
from lstmgru.data.tables.blocks import Block, TableBlocks
from lstmgru.data.tables.readers import open_chunks, read_table
from lstmgru.errors import DataError

COLUMNS = ("shop", "day", "sales", "open", "kind", "code", "visits")


def table(order: str) -> pd.DataFrame:
    """Shops of different lengths, with cells of all kinds."""
    generator = np.random.default_rng(0)
    shops = [10, 9, 2, 31, 7]
    frame = pd.concat(
        pd.DataFrame({"shop": shop, "day": pd.date_range("2024-01-01", periods=3 + shop % 5).strftime("%Y-%m-%d")})
        for shop in (sorted(shops) if order == "sorted" else shops)
    )
    frame = frame.assign(
        sales=generator.normal(size=len(frame)).round(2),
        open=generator.random(len(frame)) < 0.5,
        kind=generator.choice(["a", " b", "N/A"], len(frame)),
        code="007",
        visits=generator.integers(0, 9, len(frame)),
        other="x,y",
    )
    frame["visits"] = frame["visits"].mask(frame["shop"] == 31)  # integers, and none in a block
    return frame.sample(frac=1, random_state=0) if order == "mixed" else frame


def written(frame: pd.DataFrame, path: Path) -> Path:
    if path.name.endswith(".parquet"):
        frame = frame.assign(kind=frame["kind"].astype("category"))
        pyarrow.parquet.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, row_group_size=5)
    elif path.name.endswith((".arrow", ".feather")):
        whole = pa.Table.from_pandas(frame, preserve_index=False)
        kind = pa.ipc.new_file if path.suffix == ".feather" else pa.ipc.new_stream
        with kind(str(path), whole.schema) as file:
            file.write_table(whole, max_chunksize=4)
    else:
        frame.to_csv(path, index=False)
    return path


def blocks_of(
    path: Path, group_by: str | None = "shop", rows: int = 12, groups: int = 99, by_name: bool = True, **reading: Any
) -> list[Block]:
    file = open_chunks(path, text=("shop", "kind"), **reading)
    table_blocks = TableBlocks(file, group_by, COLUMNS, by_name=by_name, most_rows=rows, most_groups=groups)
    blocks = list(table_blocks)
    assert [len(block.rows) for block in blocks] == table_blocks.counts.tolist()
    return blocks


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks of a small file."""
    monkeypatch.setattr(arrow_text, "_CHUNK_BYTES", 100)


@pytest.mark.usefixtures("small_chunks")
@each_row("order", ["sorted", "grouped", "mixed"])
@each_row("name", ["x.csv", "x.csv.gz", "x.parquet", "x.feather", "x.arrow"])
def test_blocks_hold_whole_series_in_their_order_and_the_rows_and_types_of_the_table(
    tmp_path: Path, name: str, order: str
) -> None:
    path = written(table(order), tmp_path / name)
    whole = read_table(path, text=("shop", "kind"))[list(COLUMNS)]

    blocks = blocks_of(path)

    assert len(blocks) > 2
    for block in blocks:
        expected = whole.iloc[block.rows].reset_index(drop=True)
        pd.testing.assert_frame_equal(block.frame, expected, check_dtype=False, check_categorical=False)
        assert (np.diff(block.rows) > 0).all()
        assert len(block.frame) <= 12
    shops = [list(dict.fromkeys(block.frame["shop"].astype(str))) for block in blocks]
    assert sorted((shop for its in shops for shop in its), key=int) == ["2", "7", "9", "10", "31"]
    assert [max(map(int, its)) for its in shops] == sorted(max(map(int, its)) for its in shops)
    assert np.array_equal(np.sort(np.concatenate([block.rows for block in blocks])), np.arange(len(whole)))


def test_sequences_keep_the_order_of_their_first_rows(tmp_path: Path) -> None:
    path = written(table("mixed"), tmp_path / "x.csv")
    first = list(dict.fromkeys(table("mixed")["shop"].astype(str)))

    blocks = blocks_of(path, rows=1, by_name=False)

    assert [block.frame["shop"].unique().tolist() for block in blocks] == [[shop] for shop in first]


@pytest.mark.usefixtures("small_chunks")
def test_rows_of_their_own_are_read_a_number_at_a_time(tmp_path: Path) -> None:
    path = written(table("grouped"), tmp_path / "x.csv")
    whole = read_table(path, text=("shop", "kind"))[list(COLUMNS)]

    for rows, groups in [(10, 99), (99, 10), (1, 1)]:
        blocks = blocks_of(path, None, rows, groups)
        assert {len(block.frame) for block in blocks[:-1]} == {min(rows, groups)}
        assert np.array_equal(np.concatenate([block.rows for block in blocks]), np.arange(len(whole)))
        together = pd.concat([block.frame for block in blocks], ignore_index=True)
        pd.testing.assert_frame_equal(together, whole, check_dtype=False)


def test_a_block_holds_a_number_of_series_at_most(tmp_path: Path) -> None:
    path = written(table("mixed"), tmp_path / "x.csv")
    blocks = blocks_of(path, rows=999, groups=2)
    assert [block.frame["shop"].nunique() for block in blocks] == [2, 2, 1]


def test_a_series_that_goes_on_in_a_later_chunk_is_whole(tmp_path: Path) -> None:
    """Within each of the three chunks, the series stand in their order."""
    frame = table("sorted")[:15].assign(shop=np.repeat(["a", "b", "a"], 5))
    blocks = blocks_of(written(frame, tmp_path / "x.parquet"), rows=5)
    assert [block.rows.tolist() for block in blocks] == [[*range(5), *range(10, 15)], [*range(5, 10)]]


def test_a_column_has_the_kind_of_all_its_cells_in_every_block(tmp_path: Path) -> None:
    frame = table("sorted")
    frame["visits"] = frame["visits"].astype(object)
    frame.iloc[-1, frame.columns.get_loc("visits")] = "many"
    path = written(frame, tmp_path / "x.csv")

    blocks = blocks_of(path)

    assert {str(block.frame["visits"].dtype) for block in blocks} == {"str"}
    assert {str(block.frame["open"].dtype) for block in blocks} == {"bool"}
    assert {str(block.frame["code"].dtype) for block in blocks} == {"str"}


def test_rows_without_a_name_are_in_the_first_block(tmp_path: Path) -> None:
    frame = table("sorted")
    frame["shop"] = frame["shop"].astype(object)
    frame.iloc[[3, 9], 0] = None
    for name in ("x.csv", "x.parquet"):
        frame = frame.assign(shop=frame["shop"].astype("Int64")) if name == "x.parquet" else frame
        blocks = blocks_of(written(frame, tmp_path / name))
        missing = [block.rows[block.frame["shop"].isna().to_numpy()].tolist() for block in blocks]
        assert missing == [[3, 9], *([] for _ in blocks[1:])]
        assert blocks[0].frame["shop"].dropna().iloc[0] == "2"


def test_all_columns_are_read_if_one_is_missing_so_that_its_message_can_name_them(tmp_path: Path) -> None:
    path = written(table("sorted").drop(columns="shop"), tmp_path / "x.csv")
    blocks = blocks_of(path)
    assert list(blocks[0].frame) == ["day", "sales", "open", "kind", "code", "visits", "other"]


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shop,day\n" + "a,1\n" * 50 + "b,1,2\n" + "c,1\n" * 50, "line 52 has 3 fields but the header has 2"),
        ("shop,day\n\n" + "a,1\n\n" * 30 + 'b,"1\n', "line 62|never closed"),
        ("shop,day\n" + "a,1\n" + 'b,"1\n' + "c,1\n" * 99, "a quotation mark is never closed, or a cell is too long"),
        ("shop,day\n", "has a header but no rows"),
        ("", "is empty"),
        ("shop;day\na;1\n", "its delimiter is not ','"),
    ],
)
def test_errors_are_those_of_the_whole_table(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as whole:
        read_table(path)
    with pytest.raises(DataError) as parted:
        blocks_of(path)
    assert str(parted.value) == str(whole.value)


def test_other_encodings_and_decimal_marks_are_read_as_ever(tmp_path: Path) -> None:
    frame = table("mixed").assign(kind="für")
    how = {"encoding": "cp1252", "decimal": ",", "delimiter": ";"}
    frame.to_csv(tmp_path / "x.csv", index=False, sep=";", decimal=",", encoding="cp1252")
    whole = read_table(tmp_path / "x.csv", text=("shop", "kind"), **how)
    for block in blocks_of(tmp_path / "x.csv", **how):
        expected = whole[list(COLUMNS)].iloc[block.rows].reset_index(drop=True)
        pd.testing.assert_frame_equal(block.frame, expected, check_dtype=False)


def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = written(table("mixed"), tmp_path / "x.csv.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"x\.csv\.gz cannot be read: .*; write the file again"):
        blocks_of(path)
    (tmp_path / "y.csv.gz").write_bytes(gzip.compress(b"shop,day\n\xff,1\n"))
    with pytest.raises(DataError, match="is not UTF-8 text"):
        blocks_of(tmp_path / "y.csv.gz")
    parquet = written(table("mixed"), tmp_path / "x.parquet")
    parquet.write_bytes(parquet.read_bytes()[:50])
    with pytest.raises(DataError, match=r"x\.parquet cannot be read as parquet"):
        blocks_of(parquet)
