"""The data of a study from files and data sets, with or without a given test part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.combinations import each_row
from helpers.datasets import installed

from lstmgru.data.sequences.datasets import load_labeled_data
from lstmgru.errors import DataError

LONG = "who,second,x,y,kind\na,2,1,5,run\nb,1,2,6,walk\na,1,3,7,run\nc,1,4,8,walk\nd,1,5,9,run\n"
WIDE = "kind,t1,t2,t3\nrun,1,2,3\nwalk,4,5,\nrun,6,7,\nwalk,8,,\n"
TEXT = "label,message\n1,win now\n0,see you\n1,007\n0,2\n"
ARCHIVE = "1\t0.5\t2\n2\t3\t4\n1\t5\t6\n2\t7\t8\n"
TS = "@classLabel true a b\n@data\n1,2:3,4:a\n5:6:b\n7:8:a\n9:9:b\n"


def write(folder: Path, content: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def load(path: Path | None, **options: Any) -> Any:
    return load_labeled_data(**{"task": "classification", "path": path, **options})


@each_row(
    ("content", "name", "options", "layout", "channels", "lengths"),
    [
        (LONG, "d.csv", {"target": "kind", "id": "who", "time": "second"}, "long", ("x", "y"), [2, 1, 1, 1]),
        (
            LONG,
            "d.csv",
            {"target": "kind", "id": "who", "time": "second", "channels": ("y",)},
            "long",
            ("y",),
            [2, 1, 1, 1],
        ),
        (LONG, "d.csv", {"target": "kind", "id": "who", "layout": "long"}, "long", ("second", "x", "y"), [2, 1, 1, 1]),
        (WIDE, "d.csv", {"target": "kind"}, "wide", ("t1", "t2", "t3"), [3, 2, 2, 1]),
        (WIDE, "d.csv", {"target": "kind", "id": "t3"}, None, (), []),
        (
            WIDE.replace(",", ";"),
            "d.csv",
            {"target": "kind", "delimiter": ";"},
            "wide",
            ("t1", "t2", "t3"),
            [3, 2, 2, 1],
        ),
        (WIDE.replace(",", "\t"), "d.tsv", {"target": "kind"}, "wide", ("t1", "t2", "t3"), [3, 2, 2, 1]),
        (TEXT, "d.csv", {"target": "label", "text": "message"}, "text", (), [0, 0, 0, 0]),
        (ARCHIVE, "d.tsv", {"layout": "archive"}, "wide", ("step_1", "step_2"), [2, 2, 2, 2]),
        (ARCHIVE, "d.tsv", {"layout": "archive", "target": "label"}, "wide", ("step_1", "step_2"), [2, 2, 2, 2]),
        (TS, "d.ts", {}, "long", ("channel_1", "channel_2"), [2, 1, 1, 1]),
        (TS, "d.ts", {"layout": "long", "channels": ["channel_2"]}, "long", ("channel_2",), [2, 1, 1, 1]),
    ],
)
def test_the_layout_follows_from_the_file_and_the_parts_that_are_named(
    tmp_path: Path,
    content: str,
    name: str,
    options: dict[str, Any],
    layout: str | None,
    channels: tuple[str, ...],
    lengths: list[int],
) -> None:
    path = write(tmp_path, content, name)
    if layout is None:
        with pytest.raises(DataError, match=r"\(data.id\) is empty in row 2 and 2 more rows"):
            load(path, **options)
        return

    sequences, test, source = load(path, **options)

    assert (sequences.schema.layout, sequences.schema.channels) == (layout, channels)
    assert sequences.lengths.tolist() == lengths
    assert (test, source) == (None, str(path))


def test_texts_that_look_like_numbers_stay_texts(tmp_path: Path) -> None:
    sequences, _, _ = load(write(tmp_path, TEXT), target="label", text="message")

    assert sequences.texts.tolist() == ["win now", "see you", "007", "2"]
    assert sequences.classes == (0, 1)


@each_row(
    ("train", "test", "name", "options", "classes", "labels", "ids"),
    [
        (WIDE, "kind,t1,t2,t3\nwalk,9,9,9\n", "d.csv", {"target": "kind"}, ("run", "walk"), [0, 1, 0, 1, 1],
         [1, 2, 3, 4, 5]),
        (WIDE, "t3,t1,t2,kind\n9,8,7,run\n", "d.csv", {"target": "kind"}, ("run", "walk"), [0, 1, 0, 1, 0],
         [1, 2, 3, 4, 5]),
        (ARCHIVE, "2\t1\n", "d.tsv", {"layout": "archive"}, (1, 2), [0, 1, 0, 1, 1], [1, 2, 3, 4, 5]),
        (ARCHIVE, "2\t1\t2\t3\n", "d.tsv", {"layout": "archive"}, (1, 2), [0, 1, 0, 1, 1], [1, 2, 3, 4, 5]),
        (TS, "@classLabel true a b\n@data\n1:3:b\n", "d.ts", {}, ("a", "b"), [0, 1, 0, 1, 1], [1, 2, 3, 4, 5]),
        (TEXT, "label,message\n1,2\n", "d.csv", {"target": "label", "text": "message"}, (0, 1), [1, 0, 1, 0, 1],
         [1, 2, 3, 4, 5]),
        (LONG, "who,second,x,y,kind\na,1,1,1,walk\n", "d.csv", {"target": "kind", "id": "who", "time": "second"},
         ("run", "walk"), [0, 1, 1, 0, 1], ["a", "b", "c", "d", "a"]),
    ],
)  # fmt: skip
def test_a_test_part_comes_last_and_has_the_classes_of_the_rest(
    tmp_path: Path,
    train: str,
    test: str,
    name: str,
    options: dict[str, Any],
    classes: tuple[Any, ...],
    labels: list[int],
    ids: list[Any],
) -> None:
    sequences, mask, source = load(write(tmp_path, train, name), test=write(tmp_path, test, f"test_{name}"), **options)

    assert mask is not None
    assert mask.tolist() == [False] * 4 + [True]
    assert (sequences.classes, sequences.labels.tolist()) == (classes, labels)
    assert list(map(str, sequences.ids)) == list(map(str, ids))
    assert source == str(tmp_path / name)


def test_the_numbers_of_a_test_part_are_those_of_its_own_columns(tmp_path: Path) -> None:
    test = write(tmp_path, "t3,t1,note,t2,kind\n9,8,x,7,run\n", "test.csv")

    sequences, _, _ = load(write(tmp_path, WIDE), test=test, target="kind")

    assert sequences.values[-3:, 0].tolist() == [8, 7, 9]


def test_numbers_to_learn_may_be_anything_in_a_test_part(tmp_path: Path) -> None:
    train, test = write(tmp_path, "y,a\n1.5,2\n2,3\n"), write(tmp_path, "y,a\n9,1\n9,2\n", "test.csv")

    sequences, mask, _ = load(train, test=test, target="y", task="regression")

    assert (sequences.labels.tolist(), mask.tolist()) == ([1.5, 2, 9, 9], [False, False, True, True])


def test_groups_of_both_parts_are_told_apart_by_name(tmp_path: Path) -> None:
    train = write(tmp_path, "kind,a,who\nx,1,7\ny,2,8\nx,3,7\ny,4,8\n")
    test = write(tmp_path, "kind,a,who\nx,1,9\ny,2,q\n", "test.csv")

    sequences, _, _ = load(train, test=test, target="kind", group="who")

    assert sequences.groups.tolist() == [0, 1, 0, 1, 2, 3]
    assert sequences.group_names == ("7", "8", "9", "q")


@each_row(
    ("content", "name", "options", "message"),
    [
        (WIDE, "d.csv", {}, "d.csv: data.target must name the column of the labels; for a file without .* archive$"),
        (WIDE, "d.csv", {"target": "kind", "layout": "archiv"}, "data.layout must be one of long, wide, text, archive "
         "but got 'archiv'; did you mean 'archive'"),
        (WIDE, "d.csv", {"target": "kind", "layout": "archive"}, "archive, which has no header, must hold numbers but "
         "one is 't1'"),
        (TS, "d.ts", {"layout": "wide"}, "d.ts declares that data.layout is 'long', but the study sets 'wide'; "
         "remove data.layout$"),
        (TS, "d.ts", {"group": "who"}, "declares that there is no data.group, but the study sets 'who'; remove"),
        (TS, "d.ts", {"target": "kind"}, "declares that data.target is 'label', but the study sets 'kind'"),
        (TS, "d.ts", {"channels": ("channel_9",)}, "data.channels is 'channel_9' but there is no such column; did you"),
        (TS.encode("utf-16"), "d.csv", {"target": "label"}, "is not UTF-8 text; save it as 'CSV UTF-8'"),
        ("label,message\nham,caf\u00e9\n".encode("latin-1"), "d.csv", {"target": "label", "text": "message"}, "d.csv "
         "is not UTF-8 text; save it as 'CSV UTF-8', or set data.encoding"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused(
    tmp_path: Path, content: str | bytes, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load(write(tmp_path, content, name), **options)


@pytest.mark.parametrize(
    ("test", "name", "message"),
    [
        (
            "kind,t1,t2,t3\njump,1,2,3\n",
            "test.csv",
            "test.csv: column 'kind' .* is 'jump' in row 1, which is not a class of the",
        ),
        ("kind,t1,t2\nrun,1,2\n", "test.csv", "test.csv: data.channels is 't3' but there is no such column"),
        ("kind,t1,t2,t3\nrun,1,x,3\n", "test.csv", "test.csv: column 't2' must hold numbers but row 1 is 'x'"),
        (TS, "test.ts", "test.ts is a file of an archive but .*data.csv is none; data.test must be like data.path$"),
    ],
)
def test_a_test_part_that_does_not_fit_is_refused_by_its_own_name(
    tmp_path: Path, test: str, name: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load(write(tmp_path, WIDE), test=write(tmp_path, test, name), target="kind")


def test_there_must_be_a_table() -> None:
    with pytest.raises(DataError, match=r"data.path or data.dataset must be set"):
        load(None)


@pytest.mark.parametrize("dataset", [installed("vowels")])
def test_a_data_set_brings_its_parts_and_its_test_part(dataset: str) -> None:
    sequences, test, source = load(None, dataset=dataset)

    assert source == dataset
    assert test is not None
    assert (len(sequences), int(test.sum()), sequences.schema.n_channels) == (640, 370, 12)
    assert sequences.ids.tolist() == [str(number) for number in range(1, 641)]
    assert load(None, dataset=dataset, channels=("channel_3",)).sequences.values.shape[1] == 1
    with pytest.raises(DataError, match=r"vowels declares that data.id is 'sequence', but the study sets 'label'"):
        load(None, dataset=dataset, id="label")


@pytest.mark.parametrize("dataset", [installed("languages")])
def test_a_data_set_of_texts_brings_its_groups(dataset: str) -> None:
    sequences, test, _ = load(None, dataset=dataset)

    assert test is None
    assert len(sequences.classes) == 15
    assert sequences.groups is not None
    assert np.unique(sequences.groups).tolist() == list(range(len(sequences.group_names)))
