"""The plan of a study of labels: its data, splits, space, and what is hidden from the search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row
from helpers.sequence_studies import NOTES, SUMS, WAVES, note_table, sum_table, wave_table, write_label_study

from lstmgru.errors import DataError
from search.api import load_plan
from search.config.space_values import Choices, IntRange
from search.errors import StudyFileError
from search.tasks.plan import identity
from search.tasks.sequences.data import SequenceData
from search.tasks.sequences.plan import SequencePlan, facts_of
from search.tasks.sequences.words import data_lines


def plan_of(folder: Path, text: str = WAVES, *overrides: str, table: Any = None) -> SequencePlan:
    plan = load_plan(str(write_label_study(folder, text, table)), overrides=overrides)
    assert isinstance(plan, SequencePlan)
    return plan


def test_the_metric_says_which_way_is_better(tmp_path: Path) -> None:
    found = {
        metric: plan_of(tmp_path, WAVES, f"labels.metric={metric}").direction
        for metric in ("auto", "accuracy", "balanced_accuracy", "macro_f1", "auroc", "log_loss")
    }
    found |= {metric: plan_of(tmp_path, SUMS, f"labels.metric={metric}").direction for metric in ("mae", "rmse", "r2")}

    assert {metric for metric, direction in found.items() if direction == "minimize"} == {"log_loss", "mae", "rmse"}
    assert plan_of(tmp_path).metric == "accuracy"
    assert plan_of(tmp_path, SUMS).metric == "mae"


def test_every_class_is_in_every_split_and_no_sequence_on_both_sides(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    labels = plan.sequences.labels
    for split in (*plan.splits.folds, plan.holdout):
        assert set(labels[split.train]) == set(labels[split.evaluation]) == {0, 1, 2}
        assert not set(split.train) & set(split.evaluation)
    scored = np.concatenate([fold.evaluation for fold in plan.splits.folds])
    assert sorted(scored) == sorted(plan.holdout.train), "the folds score everything but the holdout once"
    assert len(plan.holdout.evaluation) == 12


def test_groups_stay_together(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, NOTES)
    groups = plan.sequences.groups
    assert groups is not None
    for split in (*plan.splits.folds, plan.holdout):
        assert not set(groups[split.train]) & set(groups[split.evaluation])


def test_trials_do_not_see_the_holdout(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    hidden, holdout = plan.search_data().sequences, plan.holdout.evaluation
    rows = np.repeat(np.isin(np.arange(len(hidden)), holdout), hidden.lengths)

    assert np.isnan(hidden.values[rows]).all()
    np.testing.assert_array_equal(hidden.values[~rows], plan.sequences.values[~rows])
    assert (hidden.labels[holdout] == -1).all()
    texts, numbers = plan_of(tmp_path, NOTES), plan_of(tmp_path, SUMS)
    assert set(texts.search_data().sequences.texts[texts.holdout.evaluation]) == {""}
    assert np.flatnonzero(np.isnan(numbers.search_data().sequences.labels)).tolist() == list(numbers.holdout.evaluation)
    assert not np.isnan(plan.whole_data().sequences.values).any()


def test_what_the_holdout_holds_changes_neither_the_space_nor_what_trials_see(tmp_path: Path) -> None:
    plain = plan_of(tmp_path, NOTES)
    table = note_table()
    table.loc[plain.holdout.evaluation, "note"] = "nobody has seen these words " * 50
    changed = plan_of(tmp_path, NOTES, table=table)

    assert changed.space == plain.space
    before, after = plain.search_data().sequences, changed.search_data().sequences
    assert before.texts.tolist() == after.texts.tolist()
    assert changed.digest() != plain.digest()


def test_a_test_part_is_the_holdout(tmp_path: Path) -> None:
    table = wave_table()
    table[table["wave"].isin([f"w{number}" for number in range(50, 60)])].to_csv(tmp_path / "later.csv", index=False)
    plan = plan_of(tmp_path, WAVES, "data.test=later.csv")

    assert plan.has_test_part
    assert plan.holdout.evaluation.tolist() == list(range(60, 70))
    assert plan.holdout.train.tolist() == list(range(60))


def test_what_is_searched_depends_on_the_data(tmp_path: Path) -> None:
    numbers, texts, values = (plan_of(tmp_path, text).space for text in (WAVES, NOTES, SUMS))

    assert numbers["tokens"] == Choices((None,))
    assert numbers["max_length"] == Choices((14,))
    assert texts["tokens"] == Choices(("word",))
    assert texts["normalization"] == Choices(("none",))
    assert (numbers["subwords"], texts["subwords"]) == (Choices((False,)), Choices((True, False)))
    assert plan_of(tmp_path, NOTES, "space.tokens=character").space["subwords"] == Choices((False,))
    assert numbers["loss"] == texts["loss"] == Choices(("cross_entropy",))
    assert set(values["loss"].values or ()) == {"mse", "mae", "huber"}
    assert values["label_smoothing"] == Choices((0.0,))
    assert isinstance(numbers["hidden_size"], Choices | IntRange)


def test_the_weights_of_the_classes_are_searched_where_one_is_rare(tmp_path: Path) -> None:
    table = wave_table(90)
    kept = [f"w{number}" for number in range(90) if number % 3 != 1 or number < 24]  # 8 of 68 are flat

    assert plan_of(tmp_path).space["class_weights"] == Choices(("none",))
    rare = plan_of(tmp_path, table=table[table["wave"].isin(kept)])
    assert rare.space["class_weights"] == Choices(("none", "balanced"))


def test_word_vectors_fix_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "words.vec").write_text("bright 1 0 0\ncold 0 1 0\nunseen 0 0 1\n")
    plan = plan_of(tmp_path, NOTES, "data.vectors=words.vec")

    assert plan.vectors is not None
    assert set(plan.vectors.vectors) == {"bright", "cold"}
    assert (plan.space["embedding_size"], plan.space["tokens"]) == (Choices((3,)), Choices(("word",)))


CHARACTERS = NOTES.replace("space:", "space:\n  tokens: [word, character]")
WRONG = [
    (WAVES, "space.tokens=word", "space.tokens is for texts, but sequences of numbers are labeled"),
    (NOTES, "space.normalization=fold", "space.normalization is for numbers, but texts are labeled"),
    (NOTES, "space.input_noise=[0, 0.1]", "space.input_noise is for numbers, but texts are labeled; leave it out"),
    (CHARACTERS, "space.subwords=true", "space.subwords must be false unless space.tokens is word; leave it out"),
    (NOTES, "space.embedding_size=[0, 8]", "space.embedding_size must be at least 1 for texts but got 0"),
    (SUMS, "space.label_smoothing=0.1", "space.label_smoothing is for classes, but the labels are numbers"),
    (SUMS, "space.loss=cross_entropy", "space.loss must be mae, mse or huber for task: regression"),
    (WAVES, "space.loss=mae", "space.loss must be cross_entropy for task: classification"),
    (WAVES, "space.segment_length=20", r"segment_length must be at most the shortest space.max_length \(14\)"),
    (
        WAVES,
        "labels.metric=rmse",
        "labels.metric must be one of accuracy, balanced_accuracy, macro_f1, log_loss, auroc",
    ),
    (SUMS, "labels.metric=accuracy", "labels.metric must be one of mae, rmse, r2 for task: regression"),
    (WAVES, "splits.holdout=20", "splits.holdout must be below 1 but got 20"),
    (NOTES, "data.channels=[author]", "names 'author', which is already data.channels"),
    (WAVES, "data.vectors=words.vec", "data.vectors is for texts, but data.text is not set"),
    (WAVES, "forecast.horizon=3", "forecast is not a known key"),
]


@each_row(("study", "override", "message"), WRONG)
def test_what_does_not_fit_is_said_in_one_line(study: str, override: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(StudyFileError, match=message):
        plan_of(tmp_path, study, override)


def test_vectors_of_another_size_or_of_characters_are_refused(tmp_path: Path) -> None:
    (tmp_path / "words.vec").write_text("bright 1 0 0\ncold 0 1 0\n")
    for override, message in (
        ("space.embedding_size=8", r"space\.embedding_size must be 3, the size of the vectors in data\.vectors"),
        ("space.tokens=character", r"space\.tokens must be word, since data\.vectors holds vectors of words"),
    ):
        with pytest.raises(StudyFileError, match=message):
            plan_of(tmp_path, NOTES, "data.vectors=words.vec", override)


def test_a_class_too_small_for_the_folds_is_refused_with_the_way_out(tmp_path: Path) -> None:
    table = wave_table()
    table.loc[table["wave"] == "w0", "kind"] = "odd"
    with pytest.raises(DataError, match="odd"):
        plan_of(tmp_path, table=table)


def test_what_makes_trials_comparable_is_labels_splits_and_data_but_not_their_place(tmp_path: Path) -> None:
    kept = identity(plan_of(tmp_path)).values

    assert kept["task"] == "classification"
    assert kept["labels.metric"] == "auto"
    assert kept["splits.folds"] == 2
    assert not {"data.path", "data.test", "data.vectors"} & set(kept)
    assert kept["data.digest"] != identity(plan_of(tmp_path, table=wave_table(57))).values["data.digest"]


def test_the_facts_look_at_training_sequences_only(tmp_path: Path) -> None:
    sequences = plan_of(tmp_path).sequences
    shortest = np.flatnonzero(sequences.lengths == sequences.lengths.min())

    assert facts_of(sequences, shortest, None).longest == sequences.lengths.min()
    assert facts_of(sequences, np.arange(len(sequences)), None).longest == 14


@pytest.mark.parametrize("preset", ["small", "standard", "full"])
def test_the_length_that_is_read_follows_the_tokens_of_the_study(tmp_path: Path, preset: str) -> None:
    table = note_table()
    longest = table["note"].str.len().max()
    for override, expected in (("character", longest), ("word", 7), ("[word, character]", longest)):
        plan = plan_of(tmp_path, NOTES, f"space.preset={preset}", f"space.tokens={override}", table=table)
        assert plan.space["max_length"].values == (expected,), override


def test_texts_without_blanks_are_read_by_characters_unless_the_study_says_words(tmp_path: Path) -> None:
    table = note_table()
    table["note"] = [
        f"天气很好啊,我们去公园,散步很舒服,{mood}。" for mood in table["mood"].map({"good": "真好", "bad": "不好"})
    ]
    for preset in ("small", "full"):
        plan = plan_of(tmp_path, NOTES, f"space.preset={preset}", table=table)
        assert plan.space["tokens"].values == ("character",)
        assert plan.space["max_length"].values == (21,)

    assert plan_of(tmp_path, NOTES, "space.tokens=word", table=table).space["tokens"].values == ("word",)


def test_segments_follow_the_length_that_the_study_reads(tmp_path: Path) -> None:
    table = pd.DataFrame([(f"w{n}", step, n % 2, step % 7 - n % 2) for n in range(20) for step in range(600)])
    table.columns = ["wave", "step", "kind", "left"]
    longest = "space.max_length={}".format

    assert plan_of(tmp_path, WAVES, table=table).space["segment_length"].values == (8, 16)
    assert plan_of(tmp_path, WAVES, longest(100), table=table).space["segment_length"].values == (1, 2, 4, 8, 100)
    assert plan_of(tmp_path, WAVES, longest(600), table=table).space["segment_length"].values == (9, 18)


def test_the_share_of_texts_that_are_read_whole_is_said(tmp_path: Path) -> None:
    said = {
        override: dict(data_lines(plan_of(tmp_path, NOTES, *override)))["read whole"]
        for override in ((), ("space.tokens=character", "space.max_length=40"))
    }
    lengths = note_table()["note"].str.len()

    assert said[()] == "100% of the texts, the longest of which has 7 words"
    share, _, rest = said[("space.tokens=character", "space.max_length=40")].partition("% ")
    assert float(share) == pytest.approx(100 * (lengths <= 40).mean(), abs=0.1)
    assert rest == f"of the texts, the longest of which has {lengths.max()} characters"


@pytest.mark.parametrize("study", [WAVES, NOTES, SUMS])
def test_a_study_can_be_resumed_with_all_the_values_that_it_began_with(tmp_path: Path, study: str) -> None:
    plan = plan_of(tmp_path, study)
    values = {name: plan.space[name] for name, _ in plan.space.items()}

    again = plan.resolved(plan.config.space.model_copy(update=values), plan.config.search)

    assert again.describe() == plan.space.describe()


def test_the_data_of_trials_survive_pickling(tmp_path: Path) -> None:
    import pickle

    data = plan_of(tmp_path).search_data()
    again = pickle.loads(pickle.dumps(data))
    assert isinstance(again, SequenceData)
    assert again.sequences.digest() == data.sequences.digest()
    assert sum_table().shape == (60, 7)
