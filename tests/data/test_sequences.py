"""Tables become labeled sequences and texts, whatever the layout and the order of rows, or are refused in one line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row

from lstmgru.data.sequences.sequences import LabeledSequences, SequenceSchema
from lstmgru.data.sequences.table import build_sequences, read_sequences
from lstmgru.errors import DataError


def long_table() -> pd.DataFrame:
    """Four sequences of 1 to 4 steps with two channels; the rows of a sequence stand together and in order."""
    ids = np.repeat(["walk 1", "run", "walk 2", "run 2"], [3, 1, 4, 2])
    return pd.DataFrame(
        {
            "who": ids,
            "second": [0.5, 1.0, 2.5, 0.0, 1.0, 2.0, 3.0, 4.0, 7.0, 9.0],
            "x": np.arange(10.0),
            "y": 100 - np.arange(10),
            "kind": np.repeat(["walk", "run", "walk", "run"], [3, 1, 4, 2]),
            "person": np.repeat([7, 3, 7, 9], [3, 1, 4, 2]),
        }
    )


LONG: dict[str, Any] = {"layout": "long", "target": "kind", "channels": ("x", "y"), "id": "who", "time": "second"}
WIDE: dict[str, Any] = {"layout": "wide", "target": "kind"}
TEXT: dict[str, Any] = {"layout": "text", "target": "kind", "text": "message"}


def build(frame: pd.DataFrame, parts: dict[str, Any], **changes: Any) -> LabeledSequences:
    return build_sequences(frame, **{"task": "classification", "source": "file.csv", **parts, **changes})


def wide_table(**columns: Any) -> pd.DataFrame:
    table = {"kind": ["a", "b", "a", "b"], "t1": [1.0, 2.0, 3.0, 4.0], "t2": [5.0, 6.0, 7.0, 8.0]}
    return pd.DataFrame(table | columns)


def text_table(**columns: Any) -> pd.DataFrame:
    table = {"kind": ["spam", "ham", "spam", "ham"], "message": ["win now", "see you", "", "süß"]}
    return pd.DataFrame(table | columns)


def assert_same(one: LabeledSequences, other: LabeledSequences) -> None:
    assert one.digest() == other.digest()


def test_a_long_table_becomes_sequences_in_the_order_of_their_first_rows() -> None:
    sequences = build(long_table(), LONG, group="person")

    assert sequences.ids.tolist() == ["walk 1", "run", "walk 2", "run 2"]
    assert sequences.offsets.tolist() == [0, 3, 4, 8, 10]
    assert sequences.lengths.tolist() == [3, 1, 4, 2]
    np.testing.assert_array_equal(sequences.values, long_table()[["x", "y"]])
    assert sequences.values.dtype == np.float32
    assert sequences.classes == ("run", "walk")
    assert sequences.labels.tolist() == [1, 0, 1, 0]
    assert sequences.groups is not None
    assert (sequences.groups.tolist(), sequences.group_names) == ([0, 1, 0, 2], ("7", "3", "9"))
    assert not sequences.is_text


def by_pieces(frame: pd.DataFrame) -> LabeledSequences:
    """A plain loop over the sequences, to compare with."""
    pieces = [part.sort_values("second") for _, part in frame.groupby("who", sort=False)]
    kinds = sorted(frame["kind"].unique())
    people = frame["person"].unique().tolist()
    return LabeledSequences(
        SequenceSchema(**LONG, group="person"),
        np.array([part["who"].iloc[0] for part in pieces], object),
        np.cumsum([0, *map(len, pieces)]),
        np.concatenate([part[["x", "y"]].to_numpy(np.float32) for part in pieces]),
        np.empty(0, object),
        np.array([kinds.index(part["kind"].iloc[0]) for part in pieces]),
        tuple(kinds),
        np.array([people.index(part["person"].iloc[0]) for part in pieces]),
        tuple(map(str, people)),
    )


def test_rows_of_a_long_table_may_stand_in_any_order() -> None:
    for seed in range(5):
        frame = long_table().sample(frac=1, random_state=seed)

        assert_same(build(frame, LONG, group="person"), by_pieces(frame))


def test_without_times_the_steps_of_a_sequence_stand_in_order_even_among_those_of_others() -> None:
    frame = long_table().iloc[[4, 0, 5, 3, 1, 8, 6, 2, 9, 7]]

    sequences = build(frame, LONG, time=None)

    assert sequences.ids.tolist() == ["walk 2", "walk 1", "run", "run 2"]
    assert sequences.values[:, 0].tolist() == [4, 5, 6, 7, 0, 1, 2, 3, 8, 9]


@pytest.mark.parametrize(
    "times",
    [
        [f"2020-01-01 00:00:{second:02}" for second in range(10)],
        pd.date_range("2020-01-01", periods=10),
        np.arange(20200101, 20200111),
        2**62 + np.arange(10),
        np.linspace(-1, 1, 10),
        pd.array(range(10), dtype="Int64"),
    ],
    ids=["text", "dates", "whole numbers like dates", "large numbers", "decimals", "nullable"],
)
def test_times_of_every_kind_order_the_steps(times: Any) -> None:
    frame = long_table().assign(second=times)

    assert build(frame.iloc[::-1], LONG).values[:, 0].tolist() == [8, 9, 4, 5, 6, 7, 3, 0, 1, 2]


def test_channels_that_are_not_named_are_all_columns_that_play_no_other_part() -> None:
    assert build(long_table(), LONG, channels=(), group="person").schema.channels == ("x", "y")
    assert build(wide_table(), WIDE).schema.channels == ("t1", "t2")
    assert build(wide_table(name=[4, 3, 2, 1]), WIDE, id="name").schema.channels == ("t1", "t2")


def test_empty_cells_at_the_end_of_a_row_make_a_sequence_shorter() -> None:
    frame = wide_table(t2=[5.0, None, 7.0, 8.0], t3=[None, None, None, 12.0])

    sequences = build(frame, WIDE)

    assert sequences.lengths.tolist() == [2, 1, 2, 3]
    assert sequences.values.tolist() == [[1], [5], [2], [3], [7], [4], [8], [12]]
    assert sequences.ids.tolist() == [1, 2, 3, 4]
    assert sequences.labels.tolist() == [0, 1, 0, 1]


def test_rows_of_a_wide_table_can_have_names() -> None:
    assert build(wide_table(name=["d", "c", "b", "a"]), WIDE, id="name").ids.tolist() == ["d", "c", "b", "a"]


def test_texts_stay_as_they_are_and_may_be_empty() -> None:
    sequences = build(text_table(), TEXT)

    assert sequences.is_text
    assert sequences.texts.tolist() == ["win now", "see you", "", "süß"]
    assert (sequences.values.shape, sequences.offsets.tolist()) == ((0, 0), [0] * 5)
    assert (sequences.labels.tolist(), sequences.classes) == ([1, 0, 1, 0], ("ham", "spam"))
    assert sequences.schema.n_channels == 0


@pytest.mark.parametrize(
    ("labels", "classes", "codes"),
    [
        ([10, 9, 10, 9], (9, 10), [1, 0, 1, 0]),
        ([1.0, -1.0, 1.0, -1.0], (-1, 1), [1, 0, 1, 0]),
        (["10", "9", "10", "9"], ("10", "9"), [0, 1, 0, 1]),
        ([" b", "a", "b ", "a"], ("a", "b"), [1, 0, 1, 0]),
        ([True, False, False, True], ("False", "True"), [1, 0, 0, 1]),
        (pd.Categorical(["b", "a", "b", "a"], categories=["c", "b", "a"]), ("a", "b"), [1, 0, 1, 0]),
        (pd.Series([1, "1", "x", "x"], dtype=object), ("1", "x"), [0, 0, 1, 1]),
        (pd.Series([1, 2, 1, 2], dtype=object), (1, 2), [0, 1, 0, 1]),
        (pd.array([2, 1, 2, 1], dtype="Int64"), (1, 2), [1, 0, 1, 0]),
        (["NA", "None", "NA", "None"], ("NA", "None"), [0, 1, 0, 1]),
    ],
    ids=str,
)
def test_classes_are_whole_numbers_or_text_and_ascend(labels: Any, classes: tuple[Any, ...], codes: list[int]) -> None:
    sequences = build(wide_table(kind=labels), WIDE)

    assert sequences.classes == classes
    assert [type(name) for name in sequences.classes] == [type(name) for name in classes]
    assert sequences.labels.tolist() == codes
    assert sequences.labels.dtype == np.int64


def test_numbers_to_learn_stay_numbers() -> None:
    sequences = build(wide_table(kind=[0.5, 1, -2, 7]), WIDE, task="regression")

    assert (sequences.labels.tolist(), sequences.labels.dtype, sequences.classes) == ([0.5, 1, -2, 7], np.float32, ())


@pytest.mark.parametrize(
    ("classes", "labels", "codes"),
    [
        (("a", "b", "c"), ["c", "a", "c", "c"], [2, 0, 2, 2]),
        (("1", "2", "x"), [2, 1, 2, 2], [1, 0, 1, 1]),
        ((1, 2, 3), [3.0, 3.0, 3.0, 3.0], [2, 2, 2, 2]),
    ],
)
def test_labels_of_a_test_part_have_the_codes_of_the_training_part(
    classes: tuple[Any, ...], labels: list[Any], codes: list[int]
) -> None:
    sequences = build(wide_table(kind=labels), WIDE, classes=classes)

    assert (sequences.labels.tolist(), sequences.classes) == (codes, classes)


def assert_refused(message: str, frame: pd.DataFrame, parts: dict[str, Any], **changes: Any) -> None:
    with pytest.raises(DataError, match=message) as caught:
        build(frame, parts, **changes)
    assert "\n" not in str(caught.value)


@each_row(
    ("labels", "message"),
    [
        (
            ["a", None, "b", "b"],
            r"file.csv: column 'kind' \(data.target\) is empty in row 2; write the label, or remove",
        ),
        (["a", " ", "", "b"], "is empty in row 2 and one more row;"),
        (pd.Series(["a", None, 1, "b"], dtype=object), "is empty in row 2;"),
        ([1.0, np.nan, 1.0, 2.0], "is empty in row 2;"),
        ([1.0, 2.0, 1.5, 2.0], "must hold the names of classes but row 3 is 1.5; use task: regression$"),
        (pd.date_range("2020", periods=4), "row 1 is 2020-01-01 00:00:00; write text, whole numbers or booleans$"),
        (["a"] * 4, "is 'a' throughout: there is nothing to tell apart; add other classes$"),
        (
            ["a", "a", "a", "b"],
            "the class 'b' has a single sequence, which cannot be learned from and scored; add others",
        ),
        (
            [3, 5, 1, 2],
            "4 different labels for 4 sequences, such as 1, 2, 3 and 1 more: .*; for numbers use task: regr",
        ),
        (list("abcd"), "too many to learn; name another column$"),
    ],
)
def test_labels_that_are_no_classes_to_learn_are_refused(labels: Any, message: str) -> None:
    assert_refused(message, wide_table(kind=labels), WIDE)


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (
            list("abca"),
            ("a", "bb", "c"),
            r"'b' in row 2, which is not a class of the training part; did you mean 'bb'\? \(",
        ),
        (list("abca"), ("a", "c"), r"\(classes: a, c\); add sequences of it there, or remove the row$"),
        (["x", "1", "1", "1"], (1, 2), "is 'x' in row 1, which is not a class"),
    ],
)
def test_a_class_that_the_training_part_lacks_is_refused(
    labels: list[str], classes: tuple[Any, ...], message: str
) -> None:
    assert_refused(message, wide_table(kind=labels), WIDE, classes=classes)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (list("abab"), r"column 'kind' \(data.target\) must hold numbers but row 1 is 'a'; use task: classification$"),
        (["1", "2", "x", "4"], "must hold numbers but row 3 is 'x'; correct the cell or leave it empty$"),
        ([1, 2, None, 4], "is empty in row 3; write the label, or remove the row$"),
        ([3, 3, 3, 3], "is 3 throughout: there is nothing to learn; name another column$"),
    ],
)
def test_labels_that_are_no_numbers_to_learn_are_refused(labels: list[Any], message: str) -> None:
    assert_refused(message, wide_table(kind=labels), WIDE, task="regression")


@each_row(
    ("columns", "changes", "message"),
    [
        (
            {"kind": ["walk"] * 9 + ["run"]},
            {},
            r"column 'kind' \(data.target\) changes within sequence 'run 2', from 'walk' to 'run' in row 10; write one "
            "for all rows of a sequence, or name another column in data.id$",
        ),
        (
            {"kind": np.arange(10.0)},
            {"task": "regression"},
            r"\(data.target\) changes within sequence 'walk 1', from 0 to 1 in row 2;",
        ),
        (
            {"person": [1] * 6 + [2] * 4},
            {"group": "person"},
            r"\(data.group\) changes within sequence 'walk 2', from '1' to '2' in row 7",
        ),
        (
            {"person": [None] + [2] * 9},
            {"group": "person"},
            r"\(data.group\) is empty in row 1; .* must name its group$",
        ),
        ({"who": [None, None] + ["a"] * 8}, {}, r"\(data.id\) is empty in row 1 and one more row; .* its sequence$"),
        ({"who": np.arange(10) / 2}, {}, r"\(data.id\) holds decimal numbers such as 0.0; write names as"),
        ({"second": [None, *range(9)]}, {}, r"\(data.time\) is empty in row 1; every row must have a time$"),
        (
            {"second": 0.25},
            {},
            r"a time within a sequence \(2 rows too many\), first 0.25 of sequence 'walk 1'; remove",
        ),
        ({"second": 1}, {}, "first 1 of sequence 'walk 1'"),
        ({"second": "2020-01-31"}, {}, "first 2020-01-31 of sequence 'walk 1'"),
        ({"x": ["1"] * 9 + ["?"]}, {}, "column 'x' must hold numbers but row 10 is '[?]'; correct the cell"),
        ({"x": [np.inf] + [0] * 9}, {}, "column 'x' is infinite in row 1"),
    ],
)
def test_cells_of_a_long_table_that_break_a_rule_are_named(
    columns: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    assert_refused(message, long_table().assign(**columns), LONG, **changes)


@pytest.mark.parametrize("seed", range(3))
def test_a_cell_of_a_shuffled_table_is_named_by_its_row_there(seed: int) -> None:
    frame = long_table().sample(frac=1, random_state=seed).reset_index(drop=True)
    row = frame.index[(frame["who"] == "walk 2") & (frame["second"] == 2)][0]
    frame.loc[row, "kind"] = "run"

    assert_refused(f"within sequence 'walk 2', from 'walk' to 'run' in row {row + 1};", frame, LONG)


@each_row(
    ("parts", "changes", "message"),
    [
        (LONG, {"id": None}, "data.layout: long needs data.id, the column of the sequences; set it$"),
        (LONG, {"layout": "wide"}, "data.time has no meaning with data.layout: wide; set only one of them$"),
        (LONG, {"channels": ("x", "z")}, r"data.channels is 'z' but there is no such column \(columns: who, second"),
        (LONG, {"time": "x"}, "column 'x' is both data.time and data.channels; a column has one role$"),
        (LONG, {"target": None}, "file.csv: data.target must name the column .* set data.layout: archive$"),
        (LONG, {"layout": "lang"}, "data.layout must be one of long, wide, text but got 'lang'; did you mean 'long'"),
        (LONG, {"task": "regresion"}, "task must be one of classification, regression but got .* mean 'regression'"),
        (LONG, {"gaps": "none"}, "data.gaps must be one of error, fill, interpolate but got 'none'"),
        (TEXT, {"text": None}, "data.layout: text needs data.text, the column of the texts; set it$"),
        (TEXT, {"channels": ("x",)}, "data.channels has no meaning with data.layout: text"),
        (TEXT, {"time": "x"}, "data.time has no meaning with data.layout: text"),
        (WIDE, {"text": "x"}, "data.text has no meaning with data.layout: wide"),
    ],
)
def test_parts_that_do_not_go_together_are_refused(
    parts: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    assert_refused(message, long_table(), parts, **changes)


@each_row(
    ("frame", "parts", "message"),
    [
        (long_table().iloc[:0], LONG, "the table has a header but no rows$"),
        (
            wide_table(name=list("abcb")),
            WIDE | {"id": "name"},
            r"column 'name' \(data.id\) names 'b' again in row 4, but each row is a sequence of its own; remove one of "
            "them, or set data.layout: long if a row is a step$",
        ),
        (
            wide_table(note=list("abcd")),
            WIDE,
            "column 'note' must hold numbers but row 1 is 'a' .*; without data.channels every column that plays no "
            "other part must hold numbers: name those in data.channels, or a column of texts in data.text$",
        ),
        (
            wide_table()[["kind"]],
            WIDE,
            "no column is left for the numbers of the sequences; name them in data.channels$",
        ),
        (wide_table().rename(columns={"t1": 1}), WIDE, "the name of column 1 is not text; rename it, or set"),
        (
            wide_table(t1=[None] * 4, t2=[None, None, 1.0, 2.0]),
            WIDE,
            "row 1 has no numbers and one more row; remove it$",
        ),
        (text_table(message=["a", None, "b", "c"]), TEXT, r"\(data.text\) is empty in row 2; write a text, or remove"),
        (text_table(message=[1, 2, 3, 4]), TEXT, r"\(data.text\) must hold texts but row 1 is 1; write text$"),
        (
            text_table(message=pd.Series(["a", "b", "c\ud800", "d"], dtype=object)),
            TEXT,
            r"holds half of a character \(a lone surrogate\) in row 3; correct the text$",
        ),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused_with_the_way_out(
    frame: pd.DataFrame, parts: dict[str, Any], message: str
) -> None:
    assert_refused(message, frame, parts)


NAN = np.nan


@pytest.mark.parametrize(
    ("x", "gaps", "expected"),
    [
        ([0, NAN, 2, 3, 4, 5, 6, 7, 8, 9], "fill", [0, 0, 2, 3, 4, 5, 6, 7, 8, 9]),
        ([0, NAN, 2, 3, 4, 5, 6, 7, 8, 9], "interpolate", [0, 0.5, 2, 3, 4, 5, 6, 7, 8, 9]),
        ([0, 1, 2, 3, 4, NAN, NAN, 7, 8, 9], "fill", [0, 1, 2, 3, 4, 4, 4, 7, 8, 9]),
        ([0, 1, 2, 3, 4, NAN, NAN, 10, 8, 9], "interpolate", [0, 1, 2, 3, 4, 6, 8, 10, 8, 9]),
        ([0, 1, NAN, 3, 4, 5, 6, NAN, 8, NAN], "fill", [0, 1, 1, 3, 4, 5, 6, 6, 8, 8]),
    ],
)
def test_missing_numbers_are_filled_within_their_sequence_and_in_time(
    x: list[float], gaps: str, expected: list[float]
) -> None:
    frame = long_table().assign(x=x)

    assert build(frame, LONG, gaps=gaps).values[:, 0].tolist() == expected
    backwards = build(frame.iloc[::-1], LONG, gaps=gaps).values[:, 0].tolist()
    assert backwards == [*expected[8:], *expected[4:8], *expected[3:4], *expected[:3]]


@pytest.mark.parametrize(
    ("parts", "frame", "gaps", "message"),
    [
        (
            LONG,
            long_table().assign(x=[0, NAN, 2, NAN, 4, 5, 6, 7, 8, 9]),
            "error",
            r"file.csv: column 'x' is empty in row 2 \(sequence 'walk 1'\) and one more row; set data.gaps to "
            "fill or interpolate, or complete the table$",
        ),
        (
            LONG,
            long_table().assign(y=[0, 1, 2, NAN, 4, 5, 6, 7, 8, 9]),
            "fill",
            r"'y' is empty in row 4 \(sequence 'run'\): a sequence cannot start with one, as "
            "nothing before it is known; remove its first rows$",
        ),
        (
            LONG,
            long_table().assign(y=[0, 1, NAN, 3, 4, 5, 6, 7, 8, 9]),
            "interpolate",
            "there is no number after it to interpolate to; set data.gaps: fill$",
        ),
        (LONG, long_table().assign(y=NAN), "fill", "column 'y' has no values; remove it$"),
        (
            WIDE,
            wide_table(t2=[5, NAN, 7, 8], t3=[9, 10, 11, 12]),
            "error",
            r"column 't2' is empty in row 2 \(sequence 2\); set data.gaps",
        ),
        (
            WIDE,
            wide_table(t1=[1, 2, NAN, 4]),
            "fill",
            r"'t1' is empty in row 3 \(sequence 3\): .* remove the sequence$",
        ),
    ],
)
def test_missing_numbers_that_nothing_fills_are_refused(
    parts: dict[str, Any], frame: pd.DataFrame, gaps: str, message: str
) -> None:
    assert_refused(message, frame, parts, gaps=gaps)


def test_gaps_of_a_wide_table_are_filled_along_its_rows() -> None:
    frame = wide_table(t2=[NAN, NAN, 7, 8], t3=[9, 10, NAN, 12], t4=[NAN, 1, NAN, NAN])

    assert build(frame, WIDE, gaps="interpolate").values[:, 0].tolist() == [1, 5, 9, 2, 6, 10, 1, 3, 7, 4, 8, 12]
    assert build(frame, WIDE, gaps="fill").values[:7, 0].tolist() == [1, 1, 9, 2, 2, 10, 1]


@pytest.mark.parametrize(
    ("parts", "frame"),
    [(LONG | {"group": "person"}, long_table()), (WIDE, wide_table()), (TEXT, text_table())],
    ids=["long", "wide", "text"],
)
def test_a_table_to_be_labeled_gives_the_same_inputs_and_needs_no_labels(
    parts: dict[str, Any], frame: pd.DataFrame
) -> None:
    known = build(frame, parts)
    bare = frame.drop(columns=[parts["target"], *([parts["group"]] if "group" in parts else [])])

    sequences = read_sequences(bare.assign(other="ignored"), known.schema, source="new.csv")

    assert_same(replace(known, labels=np.empty(0, np.int64), classes=(), groups=None, group_names=()), sequences)


def test_a_column_that_a_table_to_be_labeled_lacks_is_named() -> None:
    schema = build(long_table(), LONG).schema

    with pytest.raises(DataError, match=r"new.csv: data.channels is 'y' but there is no such column"):
        read_sequences(long_table().drop(columns="y"), schema, source="new.csv")


def test_two_parts_become_one_with_groups_told_apart_by_name() -> None:
    frame = long_table()
    first, second = frame[frame["who"].isin(["run", "walk 1"])], frame[frame["who"].isin(["walk 2", "run 2"])]
    classes = ("run", "walk")
    one, other = (build(part, LONG, group="person", classes=classes) for part in (first, second))

    assert_same(one.followed_by(other), build(frame, LONG, group="person"))
    assert one.followed_by(other).group_names == ("7", "3", "9")


def test_sequences_without_names_are_counted_on() -> None:
    one = build(wide_table(), WIDE)

    assert one.followed_by(one).ids.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert one.followed_by(one).values.tolist() == [*one.values.tolist(), *one.values.tolist()]


@pytest.mark.parametrize(("parts", "frame"), [(LONG, long_table()), (TEXT, text_table())], ids=["long", "text"])
def test_hidden_sequences_hold_nothing_of_what_they_held(parts: dict[str, Any], frame: pd.DataFrame) -> None:
    sequences = build(frame, parts)
    hidden = sequences.hiding(np.array([1, 3]))

    assert hidden.labels.tolist() == [sequences.labels[0], -1, sequences.labels[2], -1]
    if sequences.is_text:
        assert hidden.texts.tolist() == ["win now", "", "", ""]
    else:
        steps = np.repeat([False, True, False, True], sequences.lengths)
        assert np.isnan(hidden.values[steps]).all()
        np.testing.assert_array_equal(hidden.values[~steps], sequences.values[~steps])


def test_any_change_of_the_data_changes_the_digest() -> None:
    frame = long_table()
    changed = [
        frame,
        frame.assign(x=frame["x"] + 1),
        frame.assign(kind=frame["kind"].replace("run", "jog")),
        frame.assign(kind=np.repeat(["run", "run", "walk", "walk"], [3, 1, 4, 2])),
        frame.assign(person=np.repeat([7, 3, 7, 3], [3, 1, 4, 2])),
        frame.assign(person=np.repeat([7, 3, 7, 8], [3, 1, 4, 2])),
        frame.assign(who=frame["who"].replace("run", "jog")),
    ]

    assert len({build(each, LONG, group="person").digest() for each in changed}) == len(changed)


def test_the_schema_survives_its_plain_values() -> None:
    schema = build(long_table(), LONG, group="person").schema

    assert SequenceSchema.from_dict(schema.to_dict()) == schema
    assert schema.inputs == ("who", "second", "x", "y")


def test_digests_of_sequences_with_numbers_as_names_stay_those_of_studies_that_exist() -> None:
    frame = pd.DataFrame({"w": [3, 3, 11, 11, 2, 2, 5, 5], "x": np.arange(1.0, 9), "k": [0, 0, 1, 1] * 2})
    frame["g"] = [1, 1, 2, 2] * 2
    parts: dict[str, Any] = {"layout": "long", "target": "k", "id": "w", "group": "g", "channels": ["x"]}

    sequences = build_sequences(frame, **parts, task="classification", source="w.csv")

    assert sequences.digest() == "1e5c16f6fae7c06ba23fdcb03f94277c8627dc4174a03f1028cf0f8403e3b43f"
    assert sequences.ids.tolist() == ["3", "11", "2", "5"]


def test_blanks_around_ids_and_groups_do_not_count() -> None:
    plain = long_table().assign(team=lambda frame: frame["person"].map({7: "x", 3: "y", 9: "z"}))
    spaced = plain.copy()
    for column in ("who", "team"):
        spaced[column] = [f"{name} " if row % 2 else f" {name}" for row, name in enumerate(plain[column])]

    assert build(spaced, LONG, group="team").digest() == build(plain, LONG, group="team").digest()


def test_known_classes_are_matched_as_text() -> None:
    wide = pd.DataFrame({"t1": [1.0, 2, 3, 4], "t2": [2.0, 3, 4, 6], "kind": [1, 2, 1, 2]})
    known = build(wide, WIDE).classes

    for kind in (["1", "2", "2 ", " 1"], [1.0, 2.0, 2.0, 1.0], ["1", 2, 2, "1"]):
        assert build(wide.assign(kind=kind), WIDE, classes=known).labels.tolist() == [0, 1, 1, 0]


def test_numbers_that_single_precision_would_round_away_are_refused() -> None:
    far = long_table().assign(x=2e9 + np.arange(10))
    with pytest.raises(
        DataError, match=r"column 'x' has a standard deviation of only 2\.87.*; subtract 2000000004 from"
    ):
        build(far, LONG)
    labels = long_table().assign(kind=np.repeat([2e9, 2e9 + 1, 2e9 + 2, 2e9 + 3], [3, 1, 4, 2]))
    with pytest.raises(DataError, match=r"\(data\.target\) has a standard deviation of only"):
        build(labels, LONG, task="regression")


def test_names_that_differ_in_blanks_only_are_said_to_be_the_same() -> None:
    frame = long_table()
    same = pd.concat([frame, frame[frame["who"] == "run"].assign(who="run ")])
    with pytest.raises(DataError, match=r"of sequence 'run' \('run' and 'run ' are the same name: blanks around"):
        build(same, LONG)
