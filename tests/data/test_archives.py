"""Files of the archives of time series classification are read as they are meant, or refused with their line."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row

from lstmgru.data.sequences.table import build_sequences
from lstmgru.data.tables.archives import read_archive, read_archives
from lstmgru.errors import DataError

SHARED = Path(__file__).parents[3] / "shared" / "data"

HEADER = """#Measured on a café's terrace
@problemName Walks
@timeStamps false
@missing true
@univariate false
@dimensions 2
@equalLength false
@classLabel true run walk

@data
"""
WALKS = HEADER + "1,2,3:4,5,6:walk\n# a remark\n% and another\n7:8: run \n1.5,?:2e3,NaN:walk\n0,NaN,?:1,NaN,2:run\n"


def write(folder: Path, content: str | bytes, name: str = "walks.ts") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_ts_file_becomes_a_long_table(tmp_path: Path) -> None:
    frame, roles = read_archive(write(tmp_path, WALKS))

    nan = np.nan
    expected = pd.DataFrame(
        [
            [1, 1, 1.0, 4.0, "walk"],
            [1, 2, 2.0, 5.0, "walk"],
            [1, 3, 3.0, 6.0, "walk"],
            [2, 1, 7.0, 8.0, "run"],
            [3, 1, 1.5, 2000.0, "walk"],
            [4, 1, 0.0, 1.0, "run"],
            [4, 2, nan, nan, "run"],
            [4, 3, nan, 2.0, "run"],
        ],
        columns=["sequence", "step", "channel_1", "channel_2", "label"],
    )
    pd.testing.assert_frame_equal(frame, expected, check_dtype=False)
    assert roles == {
        "layout": "long", "id": "sequence", "time": "step", "channels": ("channel_1", "channel_2"), "target": "label",
    }  # fmt: skip
    sequences = build_sequences(frame, **roles, task="classification", gaps="fill", source="walks.ts")
    assert (sequences.classes, sequences.lengths.tolist()) == (("run", "walk"), [3, 1, 1, 3])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("@dimensions 2\n", ""),
        lambda text: text.replace("@dimensions", "@dimension"),
        lambda text: text.replace("@data", "@DATA").replace("@classLabel true", "@classlabel True"),
        lambda text: text.encode("latin-1"),  # only the remark has a letter that is not ASCII
    ],
    ids=["line ends", "byte order mark", "no last line end", "no dimensions", "singular", "case", "remark in latin-1"],
)
def test_ways_to_write_the_same_file_make_no_difference(tmp_path: Path, change: Any) -> None:
    frame, _ = read_archive(write(tmp_path, change(WALKS)))

    pd.testing.assert_frame_equal(frame, read_archive(write(tmp_path, WALKS, "same.ts"))[0])


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["1", "2"], [1, 2]),
        (["1.0", "-2.0"], [1, -2]),
        (["0.5", "2"], [0.5, 2.0]),
        (["01", "2"], ["01", "2"]),
        (["a", "2"], ["a", "2"]),
    ],
)
def test_labels_are_numbers_where_nothing_is_lost(tmp_path: Path, labels: list[str], expected: list[Any]) -> None:
    text = "@targetLabel true\n@data\n" + "".join(f"1,2:{label}\n" for label in labels)

    frame, roles = read_archive(write(tmp_path, text))

    assert frame["label"].tolist() == np.repeat(np.array(expected, object), 2).tolist()
    assert roles["channels"] == ("value",)


def test_a_ts_file_without_labels_has_no_target(tmp_path: Path) -> None:
    frame, roles = read_archive(write(tmp_path, "@classLabel false\n@data\n1,2:3,4\n"))

    assert list(frame.columns) == ["sequence", "step", "channel_1", "channel_2"]
    assert "target" not in roles
    with pytest.raises(DataError, match=r"walks.ts has no labels \(@classLabel and @targetLabel are not true\); name"):
        read_archives(tmp_path / "walks.ts", None)


@each_row(
    ("content", "message"),
    [
        (HEADER + "1:2:3:walk\n", "line 11 has 3 channels but the header has 2; separate them by colons, and put"),
        (HEADER + "1,2:walk\n", "line 11 has 1 channel but the header has 2"),
        (HEADER + "1,2:3:walk\n", "line 11 has channels of 1 and of 2 steps; they must have the same$"),
        (HEADER + "1:2:walk\n1:x:walk\n", "line 12 must hold numbers but one is 'x'; correct it$"),
        (HEADER + "1:2:jump\n", r"line 11 ends in the label 'jump', which @classLabel does not name \(run, walk\);"),
        (HEADER + "?:NaN:walk\n", "line 11 has no numbers; remove it$"),
        (HEADER + "::walk\n", "line 11 has no numbers; remove it$"),
        (HEADER, "walks.ts has no sequences after @data; write the file again$"),
        (HEADER.replace("Stamps false", "Stamps true"), "sequences with @timeStamps are not supported; write"),
        ("@classLabel true a b\n@data\n1:2:a\n1:a\n", "line 4 has 1 channels but the first one has 2; separate"),
        ("@univariate true\n@classLabel true a b\n@data\n1:2:a\n", "line 4 has 2 channels but the header has 1"),
        ("a,b,c\n1,2,3\n", "line 1 must start with '@' as all lines before @data, but is 'a,b,c'$"),
        ("@problemName x\n", "walks.ts is not a .ts file: it has no line @data; give another kind of table"),
        (HEADER.encode("latin-1") + b"1:2:\xe9\n", "line 11 is not UTF-8 text; convert the file$"),
        ("", r"walks.ts is empty \(0 bytes\); write"),
    ],
)  # fmt: skip
def test_a_damaged_ts_file_is_refused_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_archive(write(tmp_path, content))


@pytest.mark.parametrize("delimiter", ["\t", ",", "  "])
def test_a_file_without_a_header_becomes_a_wide_table(tmp_path: Path, delimiter: str) -> None:
    rows = [["1", "0.5", "2", "3"], ["-1", "4", "NaN", "NaN"], ["1", "7", "nan", "9"], ["-1", "5"]]
    text = "".join(delimiter.join(row) + "\n" for row in rows)

    frame, roles = read_archive(write(tmp_path, text, "walks.tsv"))

    assert list(frame.columns) == ["label", "step_1", "step_2", "step_3"]
    assert frame["label"].tolist() == [1, -1, 1, -1]
    np.testing.assert_array_equal(frame["step_2"], [2, np.nan, np.nan, np.nan])
    sequences = build_sequences(frame, **roles, task="classification", gaps="interpolate", source="walks.tsv")
    assert sequences.lengths.tolist() == [3, 1, 3, 1]
    assert sequences.values[:, 0].tolist() == [0.5, 2, 3, 4, 7, 8, 9, 5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("label\tstep_1\n1\t2\n", "line 1, in a file of data.layout: archive, which has no header, must hold numbers "
         "but one is 'step_1'; correct it$"),
        ("1\n2\n", "line 1 must be a label and numbers, separated by tabs, commas or blanks: '1'$"),
    ],
)  # fmt: skip
def test_a_file_with_a_header_or_without_numbers_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_archive(write(tmp_path, content, "walks.tsv"))


def test_the_sequences_of_a_test_part_are_counted_on(tmp_path: Path) -> None:
    table = read_archives(write(tmp_path, WALKS), write(tmp_path, HEADER + "1:2:run\n3:4:walk\n", "test.ts"))

    assert table.test is not None
    assert table.test["sequence"].tolist() == [5, 6]


@pytest.mark.parametrize(("train", "test"), [("1\t2\t3\n", "1\t2\n"), ("1\t2\n", "1\t2\t3\n")])
def test_the_longest_sequence_may_be_in_either_part(tmp_path: Path, train: str, test: str) -> None:
    table = read_archives(write(tmp_path, train, "a.tsv"), write(tmp_path, test, "b.tsv"))

    assert table.test is not None
    assert list(table.train.columns) == list(table.test.columns) == ["label", "step_1", "step_2"]
    assert table.roles["channels"] == ("step_1", "step_2")


def test_parts_that_are_not_alike_are_refused(tmp_path: Path) -> None:
    other = write(tmp_path, "@classLabel true a\n@data\n1:a\n", "test.ts")

    with pytest.raises(
        DataError, match=r"test.ts has other columns than .*walks.ts: sequence, step, value, label, not seq"
    ):
        read_archives(write(tmp_path, WALKS), other)


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not there")
@pytest.mark.parametrize(
    ("name", "shape", "classes", "lengths"),
    [
        ("uea/JapaneseVowels/JapaneseVowels_TRAIN.ts", (270, 12), tuple(range(1, 10)), (7, 26)),
        ("uea/JapaneseVowels/JapaneseVowels_TEST.ts", (370, 12), tuple(range(1, 10)), (7, 29)),
        ("ucr/ItalyPowerDemand/ItalyPowerDemand_TRAIN.tsv", (67, 1), (1, 2), (24, 24)),
        ("ucr/ItalyPowerDemand/ItalyPowerDemand_TEST.tsv", (1029, 1), (1, 2), (24, 24)),
    ],
)
def test_files_of_the_archives_hold_what_they_are_known_for(
    name: str, shape: tuple[int, int], classes: tuple[int, ...], lengths: tuple[int, int]
) -> None:
    frame, roles = read_archive(SHARED / name)

    sequences = build_sequences(frame, **roles, task="classification", source=name)

    assert (len(sequences), sequences.values.shape[1], sequences.classes) == (*shape, classes)
    assert (sequences.lengths.min(), sequences.lengths.max()) == lengths


@pytest.mark.skipif(
    find_spec("sktime") is None, reason="sktime is not installed: pip install 'lstmgru-search[studies]'"
)
@pytest.mark.parametrize(
    ("problem", "part"),
    [
        ("JapaneseVowels", "TEST"),
        ("UnitTest", "TRAIN"),
        ("BasicMotions", "TRAIN"),
        ("PLAID", "TRAIN"),
        ("Tecator", "TEST"),
    ],
)
def test_the_reader_of_the_package_that_keeps_such_files_reads_the_same(problem: str, part: str) -> None:
    import sktime
    from sktime.datasets import load_from_tsfile

    path = Path(str(sktime.__file__)).parent / "datasets" / "data" / problem / f"{problem}_{part}.ts"
    inputs, labels = load_from_tsfile(str(path), return_data_type="pd-multiindex")

    frame, roles = read_archive(path)

    values = frame[list(roles["channels"])].to_numpy()
    kept = ~np.isnan(inputs.to_numpy()).all(axis=1)
    np.testing.assert_array_equal(values, inputs.to_numpy()[kept])
    np.testing.assert_array_equal(frame["sequence"] - 1, inputs.index.get_level_values(0)[kept].astype(int))
    found = frame.groupby("sequence")["label"].first().astype(str).str.lower()  # the other reader knows no capitals
    assert found.tolist() == labels.tolist()
