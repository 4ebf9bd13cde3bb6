"""The model card says what a model is, needs and can do, whatever the names in its data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from helpers import sequence_bundles
from helpers.blends import blend_of
from helpers.combinations import each_row
from helpers.forecast_bundles import (
    CONTEXT,
    HORIZON,
    bundle_of,
    calibration_of,
    model_of,
    panel_of,
    rich_panel,
    rich_table,
    save,
    table,
)
from helpers.panels import make_panel
from helpers.sequence_bundles import label_bundle_of, long_table, sequences_of, text_table, wide_table
from markdown_it import MarkdownIt

from lstmgru.bundle import example_frame
from lstmgru.bundle.card import code, escape
from lstmgru.data.forecasting.build_panel import build_panel
from lstmgru.specs import ForecastSpec

NASTY = "a|b `c` <img src=x onerror=y> [z](http://evil.example) *w* \\| www.evil.example\n# h ~~s~~ &amp; $m$"


@each_row("text", [NASTY, "`", "``x", "\\", "a\\", "\x1b[31mred", "http://evil.example", "", "***"])
def test_text_stays_text_in_markdown(text: str) -> None:
    parser = MarkdownIt("gfm-like", {"linkify": False})
    shown = " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
    row = parser.parse(f"|a|b|\n|---|---|\n| x | {escape(text)} |")
    cells = [token.children for token in row if token.type == "inline"]
    assert len(cells) == 4
    assert {child.type for child in cells[3] or []} <= {"text", "text_special"}
    assert "".join(child.content for child in cells[3] or []) == shown
    (inline,) = [token for token in parser.parse(f"x {code(text)} y") if token.type == "inline"]
    assert [child.content for child in inline.children or []][1:2] in ([shown], ["  "] if not shown else [shown])


def test_the_card_survives_names_that_look_like_markdown(tmp_path: Path) -> None:
    frame = table(shops=(NASTY, "</details>")).rename(columns={"visits": NASTY, "shop": "```", "day": "| --- |"})
    frame["<i>"] = frame["```"]
    panel = build_panel(
        frame,
        time="| --- |",
        id="```",
        targets=["sales 0"],
        past_covariates=[NASTY],
        static_covariates=["<i>"],
        categorical=["<i>"],
        source="shops.csv",
    )
    bundle = bundle_of(panel, metrics={"holdout": {"rmse": 1.0}, "verdict": NASTY, "baselines": {NASTY: 2.0}})
    card = (save(tmp_path / "bundle", bundle) / "MODEL_CARD.md").read_text()
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(card)
    kinds = {child.type for token in tokens for child in token.children or []} | {token.type for token in tokens}
    assert not kinds & {"html_inline", "html_block", "link_open", "em_open", "s_open", "image"}
    assert sum(token.type == "heading_open" for token in tokens) == 6
    rows = [sum(t.type in ("td_open", "th_open") for t in part) for part in split_rows(tokens)]
    assert rows == [2] * len(rows)


def split_rows(tokens: list[Any]) -> list[list[Any]]:
    starts = [index for index, token in enumerate(tokens) if token.type == "tr_open"]
    return [tokens[start:end] for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of two shops, without ONNX."""
    frame = table(shops=("a", "b"))
    return save(tmp_path_factory.mktemp("models") / "shops.bundle", bundle_of(panel_of(frame)))


def test_the_card_says_what_the_model_is_and_how_good(saved: Path) -> None:
    card = (saved / "MODEL_CARD.md").read_text()
    for part in (
        "# Forecasts of `sales 0`",
        "`last > lstm(5) > gru(4)`",
        "at least 6 rows",
        "**Verdict:** It is better.",
    ):
        assert part in card, part
    assert card.index("| **this model** | 1.500 |") < card.index("| naive | 2.000 |")
    assert "rmse in original units" in card
    assert "onnxruntime.InferenceSession" not in card


def card_of(folder: Path, *settings: Any, **more: Any) -> str:
    """The card of a model of a :func:`rich_table`."""
    bundle = bundle_of(rich_panel(rich_table()), *settings, **more)
    return (save(folder / "bundle", bundle) / "MODEL_CARD.md").read_text()


def test_the_card_says_what_each_column_must_hold(tmp_path: Path) -> None:
    card = card_of(tmp_path, model_of(transform="log"), short_series="pad")
    for line in (
        "A table with at least one row for each series, of which the last 6 are read, without gaps, and these columns:",
        "| shop | the name of the series |",
        r"| sales 0 | positive numbers: the values to forecast, up to the last known one |",
        "| visits | numbers: known up to the last value of the targets |",
        "| weather | categories (rain, snow, sun): also known over the horizon, ",
        "| kind | categories (kiosk, market): constant within a series |",
        "| area | numbers: constant within a series |",
    ):
        assert line in card, line


def test_the_card_shows_a_few_of_many_names(tmp_path: Path) -> None:
    frame = table().assign(visits=[f"day {n}" for n in range(24)])
    panel = panel_of(frame, categorical=["visits"])
    card = (save(tmp_path / "bundle", bundle_of(panel)) / "MODEL_CARD.md").read_text()
    assert "| visits | categories (day 0, day 1, day 2, day 3, day 4 and 19 more): known up to" in card


COVERAGE = [{"level": 0.8, "coverage": 0.7812, "width": 3.25}, {"level": 0.95, "coverage": 1.0, "width": 7.0}]


def test_the_card_says_what_intervals_cover(tmp_path: Path) -> None:
    metrics = {"holdout": {"rmse": 1.5}, "baselines": {}, "intervals": COVERAGE}
    card = card_of(tmp_path, calibration=calibration_of(2), metrics=metrics)
    for line in (
        " from the last 6, with prediction intervals of 80% and 95%. Architecture: ",
        "| interval | coverage | mean width |",
        "| 80% | 78.1% | 3.250 |",
        "| 95% | 100.0% | 7.000 |",
        "no more. Its intervals are calibrated on 12 forecasts of a backtest: they reflect the errors of that time",
    ):
        assert line in card, line
    assert "no prediction intervals" not in card


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, "- It forecasts 3 steps of `D` and no more, as point forecasts without intervals."),
        (
            {"calibration": calibration_of(2, missing=True)},
            "on 12 forecasts of a backtest, too few for intervals of 95%: ",
        ),
    ],
)
def test_the_card_says_which_intervals_there_are_not(settings: dict[str, Any], line: str, tmp_path: Path) -> None:
    assert line in card_of(tmp_path, **settings)


@pytest.mark.parametrize(
    ("normalization", "says"), [("last", True), ("series", True), ("fold", False), ("window", False)]
)
def test_the_card_says_which_series_can_be_forecast(normalization: str, says: bool, tmp_path: Path) -> None:
    card = card_of(tmp_path, model_of(normalization=normalization))
    assert ("- It forecasts only the 3 training series, as it has parameters for each of them." in card) == says
    assert "- trained on 3 series: `a`, `b`, `c`" in card
    assert "- Categories that are not in the training data all count as the same unknown one." in card


@pytest.mark.parametrize(
    ("metric", "unit"),
    [("mae", "mae in original units, "), ("mse", "mse in squared original units, "), ("wql", "wql, ")],
)
def test_the_card_names_the_unit_of_a_score(metric: Any, unit: str, tmp_path: Path) -> None:
    card = card_of(tmp_path, forecast=ForecastSpec(HORIZON, metric=metric), metrics={"holdout": {metric: 1.0}})
    assert f"; {unit}smaller is better:" in card


def test_a_card_without_scores_says_so(tmp_path: Path) -> None:
    bundle = bundle_of(make_panel((40,)), metrics={}, provenance={})
    assert "has not been scored" in (save(tmp_path / "b", bundle) / "MODEL_CARD.md").read_text()


def test_the_python_of_the_card_runs(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(shops=("a", "b")).to_csv(tmp_path / "new.csv", index=False)
    monkeypatch.chdir(tmp_path)
    (snippet,) = re.findall(r"```python\n(.*?)```", (saved / "MODEL_CARD.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(snippet.replace("path/to/this/bundle", str(saved)), names)
    assert len(names["forecasts"]) == 2 * HORIZON


def test_the_card_names_the_example(tmp_path: Path) -> None:
    panel = panel_of(table())
    bundle = bundle_of(panel, example=example_frame(panel, CONTEXT, HORIZON))
    card = (save(tmp_path / "bundle", bundle) / "MODEL_CARD.md").read_text()
    assert "`example.json` holds a table to try the model with" in card


# --- of models that label ---------------------------------------------------------------------------------------------


def label_card_of(folder: Path, bundle: Any) -> str:
    return (sequence_bundles.save(folder / "bundle", bundle) / "MODEL_CARD.md").read_text()


CLASSES = [
    {"class": "a", "support": 12, "precision": 0.91234, "recall": 1.0, "f1": 0.95},
    {"class": "b|c", "support": 3, "precision": None, "recall": 0.0, "f1": 0.0},
]


def test_the_card_of_a_model_of_classes_says_what_it_is_and_how_good(tmp_path: Path) -> None:
    metrics = {
        "holdout": {"accuracy": 0.875, "macro_f1": 0.8},
        "baselines": {"majority": 0.5, "ridge": 0.9, "odd": None},
        "verdict": "It is worse.",
        "classes": CLASSES,
    }
    card = label_card_of(tmp_path, label_bundle_of(sequences_of(long_table()), metrics=metrics))
    for line in (
        "# Classification: `state`",
        "Predicts one of the 3 classes of `state` for each sequence from its first 7 steps. Architecture: `gru(5) > ",
        "A table with a row for each step of each sequence, without gaps, and these columns:",
        "| engine | the name of the sequence |",
        "| minute | times or numbers that order the steps of a sequence |",
        "| heat | numbers |",
        "**Verdict:** It is worse.",
        "; accuracy, larger is better:",
        "| ridge | 0.9000 |\n| **this model** | 0.8750 |\n| majority | 0.5000 |\n| odd | undefined |",
        "Other scores of this model: macro\\_f1 0.8000.",
        "| class | support | precision | recall | f1 |",
        "| a | 12 | 0.912 | 1.000 | 0.950 |",
        r"| b\|c | 3 | undefined | 0.000 | 0.000 |",
        ", loss cross_entropy, label smoothing 0, class weights none, adamw, ",
        "- It only knows the classes `a`, `b`, `c` and assigns one of them to every input.",
        "- It reads the first 7 steps and ignores the rest.",
        'labels = bundle.predict(pd.read_csv("new.csv"))',
        "`mlflow.pyfunc.load_model(",
    ):
        assert line in card, line
    assert "state |" not in card, "labels are not among the columns that it needs"


def test_the_card_of_a_model_of_texts_says_what_a_token_is(tmp_path: Path) -> None:
    model = sequence_bundles.model_of(tokens="character", min_count=2, token_dropout=0.1)
    card = label_card_of(tmp_path, label_bundle_of(sequences_of(text_table()), model))
    for line in (
        "Predicts one of the 2 classes of `mood` for each text from its first 7 characters. Architecture: `chara",
        "A table with a row for each text, and these columns:",
        "| text | the text |",
        "characters, each at least 2 times in the training texts; token dropout 0.1",
        "- Every character that is too rare in the training data counts as the same unknown one.",
        'labels = bundle.predict(["a text", "another one"])',
    ):
        assert line in card, line
    assert "gaps" not in card


def test_the_card_of_a_wide_table_names_the_first_and_the_last_of_many_steps(tmp_path: Path) -> None:
    card = label_card_of(tmp_path, label_bundle_of(sequences_of(wide_table()), gaps="fill"))
    for line in (
        "A table with a row for each sequence, with gaps filled as in training (fill), and these columns:",
        r"| step\_1 to step\_6 | numbers: the 6 steps, in order |",
        "The last cells of a shorter sequence are empty.",
    ):
        assert line in card, line


def test_the_card_of_a_model_of_numbers_has_no_classes(tmp_path: Path) -> None:
    card = label_card_of(tmp_path, label_bundle_of(sequences_of(long_table(), "regression", time=None)))
    for line in (
        "# Regression: `wear`",
        "Predicts the number `wear` for each sequence from ",
        "A table with a row for each step of each sequence, the steps in order, without gaps, ",
        "; mae in original units, smaller is better:",
    ):
        assert line in card, line
    assert "It only knows" not in card
    assert "label smoothing" not in card


def test_a_card_of_labels_survives_names_that_look_like_markdown(tmp_path: Path) -> None:
    frame = text_table().rename(columns={"text": NASTY, "mood": "</details>"})
    frame["</details>"] = frame["</details>"].replace("bad", NASTY)
    sequences = sequences_of(frame, layout="text", text=NASTY, target="</details>", channels=(), id=None)
    classes = [{NASTY: NASTY, "f1": 0.5}]
    bundle = label_bundle_of(sequences, metrics={"holdout": {"accuracy": 1.0}, "classes": classes})
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(label_card_of(tmp_path, bundle))
    kinds = {child.type for token in tokens for child in token.children or []} | {token.type for token in tokens}
    assert not kinds & {"html_inline", "html_block", "link_open", "em_open", "s_open", "image"}
    rows = [sum(t.type in ("td_open", "th_open") for t in part) for part in split_rows(tokens)]
    assert rows == [2] * len(rows)


@pytest.mark.parametrize("table", [long_table, text_table])
def test_the_python_of_a_card_of_labels_runs(table: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = table()
    frame.to_csv(tmp_path / "new.csv", index=False)
    monkeypatch.chdir(tmp_path)
    card = label_card_of(tmp_path, label_bundle_of(sequences_of(frame)))
    (snippet,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    names: dict[str, Any] = {}
    exec(snippet.replace("path/to/this/bundle", "bundle"), names)
    assert len(names["labels"]) == (2 if table is text_table else 8)


def test_a_single_network_that_scores_like_the_blend_is_called_equally_good(tmp_path: Path) -> None:
    metrics = {"holdout": {"rmse": 2.0}, "baselines": {}, "single": {"name": "trial 7", "score": 2.0001}}
    assert "A single network in place of the blend would be equally good." in card_of(tmp_path, metrics=metrics)


def test_the_card_of_a_blend_says_what_each_member_contributes(tmp_path: Path) -> None:
    panel = rich_panel(rich_table(40))
    metrics = {"holdout": {"rmse": 2.0}, "baselines": {"naive": 3.0}, "single": {"name": "trial 7", "score": 2.1}}
    provenance = {"study": "shops", "trained_on": "everything"}
    bundle = blend_of(panel, metrics=metrics, provenance=provenance)
    card = (save(tmp_path / "bundle", bundle) / "MODEL_CARD.md").read_text()
    total = sum(member.n_parameters for member in bundle.members)
    for line in (
        f" from the last 8. A blend of 4 members with {total:,} parameters.",
        "A table with at least 6 rows for each series, of which the last 8 are read, without gaps, and",
        "| member | weight | rows read | parameters | mean score of the folds |",
        r"| log \> last \> lstm(5) \> gru(4), trial 7 | 0.438 | 6 | ",
        "| linear | 0.2 | 8 | ",
        "| positive numbers: the values to forecast",
        "by the same members trained on the data before it. The members of this model were then trained on all data, ",
        "| trial 7, alone | 2.100 |",
        "A single network in place of the blend would be 5.0% worse.",
    ):
        assert line in card, line
    kept = card_of(tmp_path / "kept", provenance={"trained_on": "before_holdout"})
    assert "Scores on a holdout that neither the search nor the training used; rmse" in kept
    assert "member | weight" not in kept
