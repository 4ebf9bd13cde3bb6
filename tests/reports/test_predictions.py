"""The report of a study of labels: tables of the holdout read back, what is said of them, and the whole page."""

from __future__ import annotations

import dataclasses
import html
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
import pytest
from helpers.combinations import each_row
from helpers.mlflow_ui import CHROMIUM, browser_page
from helpers.report_study import NUMBERS, TEXTS, Made, make_label_store
from helpers.sequences import sequences_of
from rich.console import Console

from lstmgru.data.sequences.splits import SequenceSplit
from lstmgru.errors import DataError
from lstmgru.evaluation.sequences import SequenceEvaluation
from lstmgru.specs import LabelSpec
from search.cli.tables import print_study
from search.reports import page
from search.reports.charts.marks import Dots, Line
from search.reports.holdout.classes import classes_html, confusion_html, reliability_html
from search.reports.holdout.prediction_tables import (
    ClassScore,
    PredictedClasses,
    PredictedValues,
    read_class_scores,
    read_confusion,
    read_predicted_classes,
    read_predicted_values,
)
from search.reports.holdout.values import values_chart, values_html, values_text
from search.reports.report import report_html
from search.study.paths import CLASSES_TABLE, CONFUSION_TABLE, PREDICTIONS_TABLE, report_path
from search.study.records import HoldoutRecord
from search.study.store import StudyStore
from search.tasks import find_task
from search.tasks.sequences.data import SequenceData
from search.tasks.sequences.final_steps import confusion_table, predictions

optuna.logging.set_verbosity(optuna.logging.WARNING)

NAMES = ("1e3", "NA", "actual", 'a,"b"', "null")
"""Names of classes that are no numbers, no missing values and no columns."""


def write_tables(folder: Path, classes: tuple[str | int, ...] = NAMES, count: int = 200, seed: int = 0) -> Any:
    """The tables of a holdout as the end of a study writes them; returns its evaluation and outputs."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % (len(classes) or 1) if classes else generator.normal(50, 10, count)
    sequences = sequences_of(["some text"] * count, labels, classes=classes)
    spec = LabelSpec("classification", "accuracy", classes) if classes else LabelSpec("regression", "mae")
    split = SequenceSplit("holdout", np.arange(0), np.arange(count))
    evaluation = SequenceEvaluation(sequences.labels, spec)
    if classes:
        logits = generator.normal(size=(count, len(classes)))
        logits[np.arange(count), labels] += 2
        outputs = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    else:
        outputs = (labels + generator.normal(0, 3, count)).astype(np.float32)[:, None]
    folder.mkdir(parents=True, exist_ok=True)
    predictions(SequenceData(sequences, (), spec), split, outputs).to_csv(folder / PREDICTIONS_TABLE, index=False)
    if classes:
        evaluation.per_class(outputs).to_csv(folder / CLASSES_TABLE, index=False)
        confusion_table(classes, evaluation.confusion(outputs)).to_csv(folder / CONFUSION_TABLE)
    return evaluation, outputs


def text_of(page: str) -> str:
    """What is read, without scripts, styles and tags."""
    body = re.sub(r"<(script|style)\b.*?</\1>", "", page.rpartition("<body>")[2] or page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def labels_of(actual: list[int], predicted: list[int], certainty: list[float]) -> PredictedClasses:
    """Labels of three classes that were given with these probabilities; the rest goes to the two others."""
    probabilities = np.repeat((1 - np.array(certainty))[:, None] / 2, 3, axis=1)
    probabilities[np.arange(len(predicted)), predicted] = certainty
    names = np.array([f"s{number}" for number in range(len(actual))], object)
    return PredictedClasses(names, np.array(actual), np.array(predicted), probabilities)


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [NAMES, (0, 1, 20)], ids=["names", "numbers"])
def test_tables_of_classes_are_read_as_they_were_written(tmp_path: Path, classes: tuple[Any, ...]) -> None:
    evaluation, outputs = write_tables(tmp_path, classes)

    scores = read_class_scores(tmp_path / CLASSES_TABLE)
    names = [score.name for score in scores]
    labels = read_predicted_classes(tmp_path / PREDICTIONS_TABLE, names)

    assert names == [str(name) for name in classes]
    expected = evaluation.per_class(outputs)
    assert [dataclasses.astuple(score)[1:] for score in scores] == [
        pytest.approx(tuple(row)) for row in expected.iloc[:, 1:].to_numpy()
    ]
    assert (read_confusion(tmp_path / CONFUSION_TABLE, len(names)) == evaluation.confusion(outputs)).all()
    assert (labels.actual == evaluation.labels).all()
    assert (labels.predicted == outputs.argmax(axis=1)).all()
    np.testing.assert_allclose(labels.probabilities, outputs, rtol=1e-6)
    assert (labels.certainty == labels.probabilities.max(axis=1)).all()
    assert labels.right.mean() == evaluation.score("accuracy", outputs)


def test_a_table_of_numbers_is_read_as_it_was_written(tmp_path: Path) -> None:
    evaluation, outputs = write_tables(tmp_path, ())

    labels = read_predicted_values(tmp_path / PREDICTIONS_TABLE)

    np.testing.assert_allclose(labels.predicted, outputs[:, 0], rtol=1e-6)
    assert np.abs(labels.errors).mean() == pytest.approx(evaluation.score("mae", outputs), rel=1e-6)


HEAD = "sequence,actual,predicted,p_a,p_b\n"


@each_row(
    ("table", "text", "message"),
    [
        (
            CLASSES_TABLE,
            "",
            "table of class scores: its columns are not class, support, precision, recall, f1",
        ),
        (
            CLASSES_TABLE,
            "class,support,precision,recall,f1\na,many,1,1,1\n",
            "table of class scores: invalid literal",
        ),
        (
            CLASSES_TABLE,
            "class,support,precision,recall,f1\na,1\n",
            "table of class scores: not enough values",
        ),
        (CONFUSION_TABLE, "actual,a,b\na,1,x\nb,1,1\n", "confusion matrix: invalid literal"),
        (CONFUSION_TABLE, "actual,a,b\na,1\nb,1,1\n", "confusion matrix: .*inhomogeneous"),
        (CONFUSION_TABLE, "actual,a\na,1\n", "confusion matrix of 2 classes: it has 1 rows"),
        (PREDICTIONS_TABLE, "", "table of predictions: No columns to parse"),
        (PREDICTIONS_TABLE, HEAD, "table of predictions: it has no rows"),
        (
            PREDICTIONS_TABLE,
            "sequence,actual,predicted\n1,a,a\n",
            "table of predictions: it has no column 'p_a'",
        ),
        (PREDICTIONS_TABLE, HEAD + "1,a,c,0.5,0.5\n", "table of predictions: 'c' is not one of the classes"),
        (PREDICTIONS_TABLE, HEAD + "1,a,a,,0.5\n", "table of predictions: could not convert string to float"),
    ],
)
def test_any_other_file_is_refused(tmp_path: Path, table: str, text: str, message: str) -> None:
    path = tmp_path / table
    path.write_text(text)
    readers: dict[str, Any] = {
        CLASSES_TABLE: lambda: read_class_scores(path),
        CONFUSION_TABLE: lambda: read_confusion(path, 2),
        PREDICTIONS_TABLE: lambda: read_predicted_classes(path, ["a", "b"]),
    }
    with pytest.raises(DataError, match=f"is not a {message}"):
        readers[table]()


# --- what was confused ------------------------------------------------------------------------------------------------


def cells(made: str) -> list[list[str]]:
    """Words of each cell of the body, row by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", made.partition("<tbody>")[2], flags=re.DOTALL)
    return [[text_of(cell) for cell in re.findall(r"<t[dh].*?>(.*?)</t[dh]>", row)] for row in rows]


def test_a_cell_has_the_count_and_its_share_of_the_row_and_0_is_empty() -> None:
    made = confusion_html(np.array([[3, 1, 0], [0, 1999, 1], [0, 0, 0]]), ["a", "b", "<c>"], "text")

    assert cells(made) == [
        ["a", "3 75%", "1 25%", ""],
        ["b", "", "1999 > 99%", "1 < 1%"],
        ["<c>", "", "", ""],
    ]
    assert made.count('class="right"') == 3
    assert "<c>" not in made
    assert 'title="b, predicted &lt;c&gt;: 1 of 2000"' in made


def luminance(color: npt.NDArray[np.float64]) -> float:
    """Relative luminance of sRGB in [0, 1] (WCAG 2)."""
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(("ink", "paper", "heat"), [("#1d2126", "#fff", "#005a96"), ("#e6e9ec", "#14171a", "#2f7fb8")])
def test_shades_follow_the_shares_and_leave_their_numbers_readable(ink: str, paper: str, heat: str) -> None:
    made = confusion_html(np.array([[1, 9], [4, 6], [0, 5]]), ["a", "b", "c"], "sequence")
    style = (Path(page.__file__).with_name("page.css")).read_text()

    shares = [int(share) for share in re.findall(r"--share: (\d+)%", made)]
    assert np.argsort(shares).tolist() == [0, 2, 3, 1, 4]
    assert all(f": {color};" in style for color in (ink, paper, heat))
    lights = [luminance(share / 100 * rgb(heat) + (1 - share / 100) * rgb(paper)) for share in shares]
    assert min(contrast(light, luminance(rgb(ink))) for light in lights) >= 4.5


def rgb(color: str) -> npt.NDArray[np.float64]:
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    return np.array([int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)])


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


@pytest.mark.parametrize(("names", "upright"), [(["a", "bcd"], 0), (["a", "bcde"], 2)])
def test_long_names_stand_upright_over_the_columns(names: list[str], upright: int) -> None:
    made = confusion_html(np.ones((2, 2), np.int64), names, "sequence")

    assert made.count('class="upright"') == upright


def test_of_very_many_classes_the_most_frequent_mistakes_are_listed() -> None:
    names = [f"c{number}" for number in range(31)]
    counts = 10 * np.eye(31, dtype=np.int64)
    counts[4, 7], counts[2, 1], counts[1, 2] = 30, 2, 2

    made = confusion_html(counts, names, "text")

    assert "34 texts were misclassified" in made
    assert re.findall(r"<tr><td>(.*?)</tr>", made) == [
        'c4</td><td>c7</td><td class="number">30</td><td class="number">75%</td>',
        'c1</td><td>c2</td><td class="number">2</td><td class="number">17%</td>',
        'c2</td><td>c1</td><td class="number">2</td><td class="number">17%</td>',
    ]
    assert "confusion" in confusion_html(counts[:30, :30], names[:30], "text").partition("<tbody>")[0]


def test_a_cell_leads_to_its_most_confident_cases_mistakes_first() -> None:
    certainty = [0.7, 0.9, 0.8, 0.6] + [0.5 + number / 100 for number in range(12)]
    made = labels_of([0, 0, 0, 1] + [2] * 12, [0, 1, 1, 1] + [2] * 12, certainty)
    long = dataclasses.replace(made, texts=np.array(["<b> " + 300 * "x"] * 16, object))
    counts = np.array([[1, 2, 0], [0, 1, 0], [0, 0, 12]])

    page = confusion_html(counts, ["a", "b", "c"], "text", long)

    titles = re.findall(r"<details><summary>(.*?)</summary>\n<div id=\"(.*?)\"", page)
    assert titles == [
        ("a, predicted b: 2 texts", "cell-0-1"),
        ("c, predicted c: 12 texts", "cell-2-2"),
        ("a, predicted a: 1 text", "cell-0-0"),
        ("b, predicted b: 1 text", "cell-1-1"),
    ]
    assert set(re.findall(r'href="#(.*?)"', page)) == {anchor for _, anchor in titles}
    listed = [cells(part) for part in page.split("<details>")[2:]]
    assert [row[0] for row in listed[0]] == ["s1", "s2"]
    assert [row[0] for row in listed[1]] == [f"s{number}" for number in range(15, 5, -1)]
    assert "The 10 most confident of 12." in page
    assert {len(row[1]) for part in listed for row in part} == {200}
    assert "<b>" not in page


def test_sequences_are_listed_by_name_alone(tmp_path: Path) -> None:
    made = labels_of([0, 1], [1, 1], [0.9, 0.8])

    assert "<th>words</th>" not in confusion_html(np.array([[0, 1], [0, 1]]), ["a", "b"], "sequence", made)
    (tmp_path / PREDICTIONS_TABLE).write_text("sequence,text,actual,predicted,p_a,p_b\n1,NA,a,a,1,0\n")
    texts = read_predicted_classes(tmp_path / PREDICTIONS_TABLE, ["a", "b"]).texts
    assert texts is not None
    assert texts.tolist() == ["NA"]


# --- probabilities ----------------------------------------------------------------------------------------------------


def test_probabilities_are_compared_with_what_is_right_in_five_parts(tmp_path: Path) -> None:
    from sklearn.calibration import calibration_curve

    write_tables(tmp_path, ("a", "b", "c"), 500)
    labels = read_predicted_classes(tmp_path / PREDICTIONS_TABLE, ["a", "b", "c"])

    rows = cells(reliability_html(labels, "sequence").partition("<figure")[0])

    right, said = calibration_curve(labels.right, labels.certainty, n_bins=5)
    assert [row[2:] for row in rows] == [[f"{p:.3f}", f"{share:.3f}"] for p, share in zip(said, right, strict=True)]
    assert [row[0] for row in rows] == ["0.2 to 0.4", "0.4 to 0.6", "0.6 to 0.8", "0.8 to 1.0"]
    assert sum(int(row[1]) for row in rows) == 500


@pytest.mark.parametrize(
    ("n_right", "said"),
    [
        # Of 100 labels with a probability of 0.8, 80 ± 4 are right.
        (73, "no significant miscalibration on 100 sequences."),
        (87, "no significant miscalibration on 100 sequences."),
        (71, "the model is overconfident"),
        (89, "the model is underconfident"),
    ],
)
def test_a_difference_counts_from_two_standard_errors_on(n_right: int, said: str) -> None:
    labels = labels_of([0] * n_right + [1] * (100 - n_right), [0] * 100, [0.8] * 100)

    text = text_of(reliability_html(labels, "sequence"))

    assert text.startswith(f"The mean probability of the predicted classes is 0.800, and {n_right / 100:.3f} of the")
    assert said in text


def test_a_certain_label_is_in_the_last_part() -> None:
    listed = reliability_html(labels_of([0], [0], [1.0]), "text").partition("<figure")[0]
    assert cells(listed) == [["0.8 to 1.0", "1", "1.000", "1.000"]]


# --- the holdout of classes and numbers -------------------------------------------------------------------------------


def test_the_most_confident_mistakes_come_first_and_are_ten_at_most(tmp_path: Path) -> None:
    evaluation, outputs = write_tables(tmp_path)
    wrong = np.flatnonzero(outputs.argmax(axis=1) != evaluation.labels)
    expected = sorted(wrong, key=lambda row: -outputs[row].max())[:10]
    assert len(wrong) > 10

    section = classes_html(tmp_path, "text").partition("Most confident mistakes")[2]

    assert cells(section) == [
        [
            str(row + 1),
            "some text",
            NAMES[evaluation.labels[row]],
            NAMES[outputs[row].argmax()],
            f"{outputs[row].max():.3f}",
            f"{outputs[row, evaluation.labels[row]]:.3f}",
        ]
        for row in expected
    ]


def test_where_everything_is_right_there_are_no_mistakes(tmp_path: Path) -> None:
    outputs = np.eye(2, dtype=np.float32)
    evaluation = SequenceEvaluation(np.array([0, 1]), LabelSpec("classification", "accuracy", ("a", "b")))
    (tmp_path / PREDICTIONS_TABLE).write_text(HEAD + "1,a,a,1,0\n2,b,b,0,1\n")
    evaluation.per_class(outputs).to_csv(tmp_path / CLASSES_TABLE, index=False)
    confusion_table(("a", "b"), evaluation.confusion(outputs)).to_csv(tmp_path / CONFUSION_TABLE)

    section = text_of(classes_html(tmp_path, "sequence"))

    assert section.startswith("All 2 sequences were classified correctly.")
    assert "mistakes" not in section


def test_of_many_classes_the_worst_are_shown_and_the_others_folded_away(tmp_path: Path) -> None:
    write_tables(tmp_path, tuple(f"c{number:02d}" for number in range(40)), 400)
    scores = sorted(read_class_scores(tmp_path / CLASSES_TABLE), key=lambda score: score.f1)

    section = classes_html(tmp_path, "sequence").partition("Scores by class")[2].partition("<h3>")[0]

    shown, _, folded = section.partition("<details>")
    assert [row[0] for row in cells(shown)] == [score.name for score in scores[:30]]
    assert folded.startswith("<summary>10 more</summary>")
    assert [row[0] for row in cells(folded)] == [score.name for score in scores[30:]]


def values_of(actual: list[float], predicted: list[float]) -> PredictedValues:
    names = np.array([f"s{number}" for number in range(len(actual))], object)
    return PredictedValues(names, np.array(actual, float), np.array(predicted, float))


def test_numbers_are_drawn_against_what_they_are_on_equal_axes() -> None:
    labels = values_of([0, 10, 5], [1, 10, -5])

    chart = values_chart(labels, "text")

    line, points = chart.marks
    assert isinstance(line, Line)
    assert isinstance(points, Dots)
    assert list(points.x) == [0, 10, 5]
    assert list(points.y) == [1, 10, -5]
    assert list(points.texts) == ["s0", "s1", "s2"]
    assert line.x == line.y == chart.x.span == chart.y.span == pytest.approx((-5.6, 10.6))


@pytest.mark.parametrize(("count", "drawn", "said"), [(1000, 1000, False), (1001, 501, True)])
def test_of_very_many_numbers_some_are_drawn(count: int, drawn: int, said: bool) -> None:
    labels = values_of([*range(count)], [*range(count)])

    points = values_chart(labels, "text").marks[1]
    assert isinstance(points, Dots)
    assert len(points.x) == drawn
    assert ("One point in 2 is drawn." in values_text(labels, "text")) == said


def test_the_errors_are_said_and_the_largest_listed(tmp_path: Path) -> None:
    rows = "".join(f"s{number},100,{100 + (-1) ** number * number}\n" for number in range(21))
    (tmp_path / PREDICTIONS_TABLE).write_text("sequence,actual,predicted\n" + rows)

    section = values_html(tmp_path, "sequence")

    assert "are predicted with an absolute error of at most 10, 90% with one of at most 18." in section
    listed = cells(section.partition("Largest errors")[2])
    assert [row[0] for row in listed] == [f"s{number}" for number in range(20, 10, -1)]
    assert listed[:2] == [["s20", "100", "120", "20"], ["s19", "100", "81", "-19"]]


# --- the page ---------------------------------------------------------------------------------------------------------

HOLDOUT = HoldoutRecord(0, 0.9, {"log_loss": 0.3, "accuracy": 0.9}, "It wins.", True)
VALUES = HoldoutRecord(0, 3.0, {"mae": 3.0, "r2": 0.5}, "It wins.", True)


def page_of(store: StudyStore, **changes: Any) -> str:
    return report_html(
        dataclasses.replace(store.record(), **changes), store.study, find_task(store.record().task).pages
    )


def section_of(page: str, title: str) -> str:
    return page.partition(f">{title}</h2>")[2].partition("<h2")[0]


def exported(folder: Path, classes: tuple[str, ...] = ("a", "b", "c")) -> str:
    """A directory with the description of a model, and the tables of the holdout beside it."""
    bundle = folder / "engines.bundle"
    bundle.mkdir()
    (bundle / "bundle.json").write_text(json.dumps({"provenance": {}}))
    write_tables(report_path(bundle), classes)
    return str(bundle)


CLASS_PARTS = [
    "Confusion matrix",
    "Scores by class",
    "Reliability of the probabilities",
    "Most confident mistakes",
]


@pytest.mark.parametrize(
    ("kind", "values", "holdout", "classes", "parts", "said"),
    [
        (
            (), 0.9, HOLDOUT, ("a", "b", "c"), CLASS_PARTS,
            [
                "Classifies sequences into 3 classes of state, scored by accuracy (larger is better).",
                "score accuracy, larger is better", "objectives score (maximized)", "sequences 60", "channels 2",
                "up to 10 steps of a sequence 2 channels heat, load", "class weights none",
                "2 folds, seed 0; the holdout is the test part of the data, or a share if there is none",
            ],
        ),
        (
            TEXTS, 0.9, HOLDOUT, ("bad", "good"), [*CLASS_PARTS[:2], "Thresholds", *CLASS_PARTS[2:]],
            [
                "Classifies texts into 2 classes of mood, scored by accuracy (larger is better).",
                "words of a text of text", "min count", "of 200 texts were misclassified.",
            ],
        ),
        (
            NUMBERS, 3.0, VALUES, (), ["Predicted and actual", "Largest errors"],
            [
                "Predicts wear from sequences, scored by MAE (smaller is better).", "objectives score (minimized)",
                "one number", "back to original units",
            ],
        ),
    ],
    ids=["classes", "texts", "numbers"],
)  # fmt: skip
def test_a_finished_study_has_everything(
    tmp_path: Path,
    kind: tuple[str, ...],
    values: float,
    holdout: HoldoutRecord,
    classes: tuple[str, ...],
    parts: list[str],
    said: list[str],
) -> None:
    store = make_label_store(tmp_path, [Made(values=(values,))] * 5, overrides=kind)

    page = page_of(store, holdout=holdout, bundle=exported(tmp_path, classes))

    titles = re.findall(r"<h2 id=.*?>(.*?)</h2>", page)
    assert titles == ["Leaderboard", "Holdout predictions", "Search", "Best architecture", "Setup"]
    assert re.findall(r"<h3>(.*?)</h3>", section_of(page, "Holdout predictions")) == parts
    text = text_of(page)
    assert [part for part in said if part not in text] == []
    unsaid = ["interval", "horizon", "forecast", "cannot be drawn", "cannot be shown", "cannot be listed"]
    if kind == NUMBERS:
        unsaid += ["label smoothing", "class weights", "of a text"]
    elif not kind:
        unsaid += ["min count", "tokens", "embedding size"]
    before_settings = text.partition("The study file, defaults filled in")[0]
    assert [part for part in unsaid if part in before_settings] == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "The holdout has not been scored yet"),
        (
            {"holdout": HOLDOUT, "bundle": "nowhere.bundle"},
            "The predictions are no longer available: nowhere.report",
        ),
    ],
)
def test_a_study_without_labels_of_its_holdout_says_so(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    store = make_label_store(tmp_path, [Made(values=(0.9,))])

    assert said in text_of(section_of(page_of(store, **changes), "Holdout predictions"))


def test_labels_that_cannot_be_shown_are_explained(tmp_path: Path) -> None:
    store = make_label_store(tmp_path, [Made(values=(0.9,))])
    bundle = exported(tmp_path)
    (report_path(Path(bundle)) / CONFUSION_TABLE).write_text("")

    page = page_of(store, holdout=HOLDOUT, bundle=bundle)

    assert "The predictions cannot be shown:" in section_of(page, "Holdout predictions")
    assert "is not a confusion matrix of 3 classes" in page


def test_the_leaderboard_begins_with_the_largest_score(tmp_path: Path) -> None:
    store = make_label_store(tmp_path, [Made(values=(value,)) for value in (0.5, 0.9, 0.3)])

    board = text_of(section_of(page_of(store), "Leaderboard"))

    assert "Scores are accuracy, larger is better" in board
    places = [board.index(score) for score in (" 0.9000 ", " 0.6000 ", " 0.5000 ", " 0.4000 ", " 0.3000 ")]
    assert places == sorted(places)
    assert "Trial 1:" in text_of(section_of(page_of(store), "Best architecture"))


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        (["splits.holdout=0.25"], "2 folds, seed 0; the holdout is 0.25 of the data"),
        (["data.test=engines.csv"], "2 folds, seed 0; the holdout is the test part"),
        (["splits.holdout=0.25", "splits.seed=7", "splits.folds=1"], "1 fold, seed 7; the holdout is 0.25 of the data"),
        (
            ["splits.holdout=0.25", "data.group=engine", "data.id=null", "data.layout=wide"],
            "the holdout is 0.25 of the data; each engine is on one side of a split",
        ),
    ],
)
def test_the_page_says_how_the_data_were_cut(tmp_path: Path, splits: list[str], said: str) -> None:
    store = make_label_store(tmp_path, [])
    config = store.record().config
    for setting in splits:
        key, _, value = setting.partition("=")
        section, name = key.split(".")
        config[section][name] = json.loads(value) if re.fullmatch(r"[\d.]+|null", value) else value

    assert said in text_of(section_of(page_of(store, config=config), "Setup"))


@pytest.mark.parametrize("name", ["<script>alert(1)</script> & co", '"><img src=x onerror=alert(1)>'])
def test_names_of_classes_cannot_break_out_of_the_page(tmp_path: Path, name: str) -> None:
    store = make_label_store(tmp_path, [Made(values=(0.9,))] * 5)
    config = json.loads(json.dumps(store.record().config).replace('"state"', json.dumps(name)))

    page = page_of(store, holdout=HOLDOUT, config=config, bundle=exported(tmp_path, ("a", "b", name)))

    assert name not in page
    assert page.count("<script") == page.count("</script>")
    assert name in text_of(section_of(page, "Holdout predictions"))


# --- a terminal -------------------------------------------------------------------------------------------------------


def printed(store: StudyStore, **changes: Any) -> str:
    console = Console(width=160, highlight=False, force_terminal=False)
    with console.capture() as capture:
        print_study(console, dataclasses.replace(store.record(), **changes))
    return capture.get()


@pytest.mark.parametrize(("n_classes", "shown"), [(2, True), (12, True), (13, False)])
def test_a_terminal_shows_the_classes_where_they_are_few(tmp_path: Path, n_classes: int, shown: bool) -> None:
    store = make_label_store(tmp_path, [Made(values=(0.9,))])
    classes = tuple(f"[kind {number}]" for number in range(n_classes))
    bundle = exported(tmp_path, classes)
    [first, *_] = read_class_scores(report_path(Path(bundle)) / CLASSES_TABLE)

    text = printed(store, holdout=HOLDOUT, bundle=bundle)

    assert "It wins." in text
    assert ("holdout, by class" in text) == shown
    row = " ".join(re.sub("│", " ", text).split())
    assert (
        f"[kind 0] {first.support} {first.precision:.3f} {first.recall:.3f} {first.f1:.3f} [kind 1]" in row
    ) == shown
    assert "label     python -m search predict" in text
    assert "report    python -m search report engines" in text
    assert "forecast" not in text


def test_a_terminal_says_what_is_wrong_with_the_table_of_classes(tmp_path: Path) -> None:
    store = make_label_store(tmp_path, [Made(values=(0.9,))])
    bundle = exported(tmp_path)
    (report_path(Path(bundle)) / CLASSES_TABLE).write_text("nothing\n")

    text = " ".join(printed(store, holdout=HOLDOUT, bundle=bundle).split())

    assert "is not a table of class scores: its columns are not class, support, precision, recall, f1" in text
    assert "It wins." in text


def test_a_study_of_numbers_has_no_classes_in_the_terminal(tmp_path: Path) -> None:
    store = make_label_store(tmp_path, [Made(values=(3.0,))], overrides=NUMBERS)

    assert "class" not in printed(store, holdout=VALUES, bundle=exported(tmp_path, ()))


def test_a_class_is_told_in_a_line() -> None:
    assert ClassScore("a", 1234, 1.0, 0.5, 2 / 3).cells == ("a", "1,234", "1.000", "0.500", "0.667")


# --- a browser --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("REQUIRE_BROWSER"), reason="there is no chromium on this machine"
)
@pytest.mark.parametrize("width", [1200, 400])
@pytest.mark.parametrize("n_classes", [0, 30])
def test_a_browser_shows_the_holdout_within_its_width(tmp_path: Path, n_classes: int, width: int) -> None:
    kind, holdout = ((), HOLDOUT) if n_classes else (NUMBERS, VALUES)
    store = make_label_store(tmp_path, [Made(values=(0.9,))] * 5, overrides=kind)
    classes = tuple(f"class of the kind {number}" for number in range(n_classes))
    path = tmp_path / "report.html"
    path.write_text(page_of(store, holdout=holdout, bundle=exported(tmp_path, classes)), encoding="utf-8")
    said: list[str] = []
    with browser_page() as page:
        page.set_viewport_size({"width": width, "height": 900})
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda message: said.append(message.text))
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width
        matrix = page.locator("table.confusion")
        assert matrix.count() == (1 if n_classes else 0)
        if n_classes:
            # Scrolled to its end, a matrix still shows which row is which.
            matrix.evaluate("table => table.parentElement.scrollLeft = 10000")
            name, right = matrix.locator("tbody th").last.bounding_box(), matrix.locator("td.right").last.bounding_box()
            assert name is not None
            assert right is not None
            assert 0 <= name["x"] < name["x"] + name["width"] <= right["x"] + 1
            assert right["x"] + right["width"] <= width
    assert said == []
