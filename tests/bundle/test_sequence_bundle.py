"""A sequence model predicts as the training code does, and refuses what it cannot read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row
from helpers.sequence_bundles import (
    KINDS,
    LENGTH,
    TEXTS,
    label_bundle_of,
    long_table,
    made,
    save,
    sequences_of,
    text_table,
    wide_table,
)

from lstmgru.bundle import SequenceBundle, example_sequences, load_bundle
from lstmgru.errors import DataError
from lstmgru.runtime.sequences import batches as sequence_batches
from search.cli.app import main


@pytest.mark.parametrize("kind", KINDS)
def test_a_bundle_labels_as_the_training_code_does(kind: str) -> None:
    from lstmgru.training.fit_sequences import predict_sequences

    frame, bundle = made(kind)
    sequences = sequences_of(frame, bundle.task.task)
    everything = np.arange(len(sequences))
    (member,) = bundle.networks
    expected = predict_sequences(member.network.eval(), member.encoding, sequences, everything, bundle.task)
    labels = bundle.predict(frame)
    if kind == "numbers":
        np.testing.assert_allclose(labels["label"], expected[:, 0], rtol=2e-6)
        return
    probabilities = labels.filter(like="p_").to_numpy()
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert labels["label"].tolist() == [bundle.task.classes[number] for number in expected.argmax(axis=1)]


def test_sequences_come_in_the_order_of_the_table_and_their_steps_in_that_of_time() -> None:
    frame, bundle = made("sequences")
    labels = bundle.predict(frame)
    assert labels["engine"].tolist() == [f"e{number}" for number in range(8)]
    mixed = frame.sample(frac=1, random_state=0)
    found = bundle.predict(mixed)
    assert found["engine"].tolist() == list(dict.fromkeys(mixed["engine"]))
    pd.testing.assert_frame_equal(found.sort_values("engine", ignore_index=True), labels)


def test_what_comes_after_the_most_steps_that_it_reads_changes_nothing() -> None:
    frame, bundle = made("sequences")
    assert (frame["minute"] >= LENGTH).sum() > 3
    labels = bundle.predict(frame)
    pd.testing.assert_frame_equal(
        bundle.predict(frame.assign(heat=frame["heat"].mask(frame["minute"] >= LENGTH, 0))), labels
    )
    pd.testing.assert_frame_equal(bundle.predict(frame[frame["minute"] < LENGTH]), labels)
    assert not bundle.predict(frame.assign(heat=frame["heat"].mask(frame["minute"] == LENGTH - 1, 0))).equals(labels)


def test_sequences_in_many_batches_are_labeled_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, bundle = made("sequences")
    labels = bundle.predict(frame)
    monkeypatch.setattr(sequence_batches, "_BATCH_STEPS", 10)
    pd.testing.assert_frame_equal(bundle.predict(frame), labels)


@pytest.mark.parametrize(("sizes", "steps"), [(4, 1000), (1000, 20), (3, 12)])
def test_batches_hold_every_sequence_once_and_not_too_much(
    sizes: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequence_batches, "_BATCH_SIZE", sizes)
    monkeypatch.setattr(sequence_batches, "_BATCH_STEPS", steps)
    lengths = np.random.default_rng(0).integers(1, 12, 50)
    lengths[7] = 30
    parts = list(sequence_batches.batches(lengths))
    assert sorted(np.concatenate(parts)) == list(range(50))
    assert all(len(part) <= sizes for part in parts)
    assert all(len(part) * lengths[part].max() <= steps for part in parts if len(part) > 1)
    longest = [int(lengths[part].max()) for part in parts]
    assert longest == sorted(longest)
    assert list(sequence_batches.batches(np.array([], np.int64))) == []


@each_row(
    ("frame", "roles", "columns"),
    [
        (long_table(), {}, ["engine", "label", "p_a", "p_b", "p_c"]),
        (long_table(), {"task": "regression"}, ["engine", "label"]),
        (wide_table(), {}, ["sample", "label", "p_0", "p_1"]),
        (wide_table(), {"id": None}, ["row", "label", "p_0", "p_1"]),
        (text_table(), {}, ["row", "label", "p_bad", "p_good"]),
        (wide_table().rename(columns={"sample": "label"}), {"id": "label"}, ["label", "label_", "p_0", "p_1"]),
        (wide_table().rename(columns={"sample": "p_1"}), {"id": "p_1"}, ["p_1", "label", "p_0", "p_1_"]),
    ],
)  # fmt: skip
def test_the_columns_of_a_result(frame: pd.DataFrame, roles: dict[str, Any], columns: list[str]) -> None:
    assert list(label_bundle_of(sequences_of(frame, **roles)).predict(frame).columns) == columns


@pytest.mark.parametrize(
    ("table", "classes", "id_kind", "label_kind"),
    [(wide_table, (0, 1), "O", "i"), (text_table, ("bad", "good"), "i", "O"), (long_table, ("a", "b", "c"), "O", "O")],
)
def test_ids_and_labels_are_of_their_own_kind(
    table: Callable[[], pd.DataFrame], classes: tuple[Any, ...], id_kind: str, label_kind: str, tmp_path: Path
) -> None:
    frame = table()
    labels = load_bundle(save(tmp_path / "model", label_bundle_of(sequences_of(frame)))).predict(frame)
    assert set(labels["label"]) <= set(classes)
    assert (np.asarray(labels.iloc[:, 0]).dtype.kind, np.asarray(labels["label"]).dtype.kind) == (id_kind, label_kind)
    assert labels.filter(like="p_").dtypes.unique().tolist() == [np.float32]


def test_texts_alone_will_do_for_a_model_of_texts() -> None:
    frame, bundle = made("words")
    labels = bundle.predict(frame)
    assert labels["row"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    for texts in (list(TEXTS), TEXTS, pd.Series(TEXTS), np.array(TEXTS, dtype=object)):
        pd.testing.assert_frame_equal(bundle.predict(texts), labels)
    named = label_bundle_of(sequences_of(frame.assign(name=list("abcdefg")), id="name"))
    assert named.predict(frame.assign(name=list("abcdefg"))).columns[0] == "name"
    pd.testing.assert_frame_equal(named.predict(list(TEXTS)), labels)


@each_row(
    ("kind", "data", "match"),
    [
        ("words", "a text", "the model predicts from a list of texts or a table, but got 'a text'; read a file with"),
        ("sequences", ["a text"], "the model predicts from a table, but got a list; pass a pandas.DataFrame$"),
        ("words", ["a", None], r"new.csv: column 'text' \(data.text\) is empty in row 2"),
        ("words", ["a", 2], r"new.csv: column 'text' \(data.text\) must hold texts but row 2 is 2"),
        ("words", ["a", "\ud800"], r"new.csv: column 'text' .* half of a character .* in row 2"),
        ("words", pd.DataFrame({"txet": ["a"]}), r"data.text is 'text' but .* did you mean 'txet'\?"),
        ("words", [], "new.csv: the table has a header but no rows"),
        (
            "sequences",
            long_table().drop(columns="load"),
            "new.csv: data.channels is 'load' but there is no",
        ),
        ("sequences", long_table().assign(heat="warm"), "new.csv: column 'heat' must hold numbers but row 1 is 'warm'"),
        ("wide", wide_table().assign(step_2="x"), "new.csv: column 'step_2' must hold numbers"),
    ],
)
def test_what_it_cannot_label_is_refused(kind: str, data: Any, match: str) -> None:
    with pytest.raises(DataError, match=match) as caught:
        made(kind)[1].predict(data, source="new.csv")
    assert "\n" not in str(caught.value)


def test_gaps_are_treated_as_in_training() -> None:
    frame, bundle = made("sequences")
    gap = frame.assign(heat=frame["heat"].mask(frame.index == 3))
    with pytest.raises(DataError, match=r"column 'heat' is empty in row 4 [^;]*; complete the table$"):
        bundle.predict(gap)
    filled = frame.assign(heat=frame["heat"].mask(frame.index == 3, frame["heat"][2]))
    pd.testing.assert_frame_equal(replace(bundle, gaps="fill").predict(gap), bundle.predict(filled))


def test_labels_and_groups_need_not_be_there_and_are_not_read() -> None:
    frame, _ = made("sequences")
    bundle = label_bundle_of(sequences_of(frame.assign(plant="p" + frame["engine"]), group="plant"))
    labels = bundle.predict(frame)
    pd.testing.assert_frame_equal(bundle.predict(frame.drop(columns=["state", "wear"])), labels)
    pd.testing.assert_frame_equal(bundle.predict(frame.assign(state=None, plant=None)), labels)


def test_arrays_are_labeled_as_the_table_that_they_are_from() -> None:
    frame, bundle = made("wide")
    values = frame.filter(like="step_").to_numpy(np.float32)[..., None]
    lengths = np.arange(6) + 1
    expected = bundle.predict(frame).filter(like="p_").to_numpy()
    np.testing.assert_allclose(bundle.probability_array(values, lengths), expected, atol=1e-6)
    np.testing.assert_allclose(bundle.probability_array(values[5:]), expected[5:], atol=1e-6)
    frame, bundle = made("numbers")
    first = frame[frame["engine"] == "e0"]
    found = bundle.value_array(first[["heat", "load"]].to_numpy(np.float32)[None])
    np.testing.assert_allclose(found, bundle.predict(first)["label"], rtol=1e-6)
    assert found.shape == (1,)


def test_codes_are_labeled_as_the_texts_that_they_are_of() -> None:
    _, bundle = made("words")
    codes, _ = bundle.merged_vocabularies["word"].encode([TEXTS[0]], LENGTH)
    padded = np.pad(codes, (0, 1))[None]
    found = bundle.probability_array(padded, np.array([len(codes)]))
    np.testing.assert_allclose(found, bundle.predict([TEXTS[0]]).filter(like="p_"), atol=1e-6)


@each_row(
    ("kind", "inputs", "lengths", "match"),
    [
        ("sequences", np.ones((2, 8, 2)), None, r"values must have the shape \(n, 1 to 7, 2\) but has \(2, 8, 2\)"),
        ("sequences", np.ones((2, 0, 2)), None, r"values must have the shape \(n, 1 to 7, 2\) but has \(2, 0, 2\)"),
        ("sequences", np.ones((2, 7, 1)), None, r"values must have the shape \(n, 1 to 7, 2\) but has \(2, 7, 1\)"),
        ("sequences", np.ones((2, 7)), None, r"values must have the shape \(n, 1 to 7, 2\) but has \(2, 7\)"),
        ("words", np.ones((2, 7, 1)), None, r"tokens must have the shape \(n, 1 to 7\) but has \(2, 7, 1\)"),
        ("sequences", np.ones((2, 5, 2)), np.array([1]), r"lengths must have the shape \(2,\) but has \(1,\)"),
        (
            "sequences",
            np.ones((2, 5, 2)),
            np.array([1, 0]),
            "lengths must hold numbers of steps, 1 to 5, but holds 0",
        ),
        (
            "sequences",
            np.ones((2, 5, 2)),
            np.array([6, 1]),
            "lengths must hold numbers of steps, 1 to 5, but holds 6",
        ),
        (
            "sequences",
            np.ones((1, 5, 2)),
            np.array([1.5]),
            "lengths must hold numbers of steps, 1 to 5, but holds 1.5",
        ),
        ("sequences", np.full((1, 5, 2), np.inf), np.array([2]), "values must be finite .* but 4 are not"),
        ("words", np.zeros((1, 5), int), None, "tokens must hold codes of tokens, 1 to 17, but holds 0"),
        ("words", np.full((1, 5), 18), None, "tokens must hold codes of tokens, 1 to 17, but holds 18"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(kind: str, inputs: Any, lengths: Any, match: str) -> None:
    with pytest.raises(DataError, match=match):
        made(kind)[1].probability_array(inputs, lengths)


def test_classes_have_probabilities_and_numbers_are_values() -> None:
    values = np.ones((1, 3, 2), np.float32)
    with pytest.raises(DataError, match="the model predicts numbers, which have no probabilities; use value_array"):
        made("numbers")[1].probability_array(values)
    with pytest.raises(DataError, match="the model predicts classes, not numbers; use probability_array"):
        made("sequences")[1].value_array(values)


def test_dropout_is_off_whatever_the_network_was_last_used_for() -> None:
    frame, bundle = made("words")
    bundle.networks[0].network.train()
    pd.testing.assert_frame_equal(bundle.predict(frame), bundle.predict(frame), check_exact=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_is_labeled_as_the_sequences_that_it_is_cut_from(kind: str, tmp_path: Path) -> None:
    frame, bundle = made(kind)
    sequences = sequences_of(frame, bundle.task.task)
    train = np.array([1, 4, 5])
    example = example_sequences(sequences, train, max_length=LENGTH)
    assert list(example.columns) == list(bundle.schema.inputs)
    loaded = load_bundle(save(tmp_path / "model", replace(bundle, example=example)))
    assert loaded.example is not None
    found, whole = loaded.predict(loaded.example), bundle.predict(frame)
    codes = sequences.labels[train].tolist()
    chosen = [sequence for place, sequence in enumerate(train) if codes.index(codes[place]) == place]
    assert len(found) == len(chosen) >= 2
    first = found.columns[0]
    if first != "row":
        assert found[first].tolist() == whole[first][chosen].tolist()
    pd.testing.assert_frame_equal(
        found.drop(columns=first), whole.drop(columns=first).iloc[chosen].reset_index(drop=True), rtol=1e-5
    )


def test_an_example_holds_no_more_than_what_is_read() -> None:
    frame = long_table(longest=10)
    sequences = sequences_of(frame)
    example = example_sequences(sequences, np.array([1, 2]), max_length=LENGTH)
    assert example["engine"].unique().tolist() == ["e1", "e2"]
    assert example.groupby("engine").size().max() == LENGTH
    assert len(example_sequences(sequences, np.array([1, 4]))) == 10


TS = """@problemName Engines
@univariate false
@dimensions 2
@classLabel true a b
@data
1.5,2,3:0,1,0:a
4:1:b
5:2:a
6,7:0,1:b
"""


def archive(folder: Path, name: str, content: str) -> tuple[Path, SequenceBundle]:
    """A file of an archive, and a model for it."""
    from lstmgru.data.tables.archives import read_archive

    path = folder / name
    path.write_text(content)
    frame, roles = read_archive(path)
    return path, label_bundle_of(sequences_of(frame, **({"id": None} | roles)))


@pytest.mark.parametrize(("name", "content"), [("x.ts", TS), ("x.tsv", "1\t0.5\t2\n2\t1\t0.5\n1\t3\tNaN\n2\t4\t5\n")])
def test_a_file_of_an_archive_is_read_as_in_training(name: str, content: str, tmp_path: Path) -> None:
    path, bundle = archive(tmp_path, name, content)
    labels = bundle.predict(bundle.read_table(path))
    assert len(labels) == len(content.splitlines()) - content.count("@")
    named = pd.DataFrame({"step_1": [0.5, 1.0, 3.0, 4.0], "step_2": [2.0, 0.5, np.nan, 5.0]})
    if name == "x.tsv":
        named.to_csv(tmp_path / "table.tsv", sep="\t", index=False)
        pd.testing.assert_frame_equal(bundle.predict(bundle.read_table(tmp_path / "table.tsv")), labels)


def test_texts_of_a_table_stay_text(tmp_path: Path) -> None:
    bundle = made("words")[1]
    (tmp_path / "new.csv").write_text("text\n1\n2.50\n")
    assert bundle.read_table(tmp_path / "new.csv")["text"].tolist() == ["1", "2.50"]
    with pytest.raises(DataError, match=r"new2\.csv does not exist; did you mean 'new\.csv'"):
        bundle.read_table(tmp_path / "new2.csv")


def test_predict_labels_a_table_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frame, bundle = made("sequences")
    frame.to_csv(tmp_path / "new.csv", index=False)
    folder = save(tmp_path / "model.bundle", bundle)
    command = ["search", "predict", str(folder), "--data", str(tmp_path / "new.csv")]
    for more in ([], ["--output", str(tmp_path / "labels.csv")]):
        monkeypatch.setattr(sys, "argv", [*command, *more])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith("engine,label,p_a,p_b,p_c\ne0,")
    assert printed.endswith(f"8 labels written to {tmp_path / 'labels.csv'}\n")
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "labels.csv"), bundle.predict(frame), check_dtype=False, rtol=1e-6
    )
