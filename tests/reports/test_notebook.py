"""What a notebook shows of results: self-contained HTML, readable in light and dark themes."""

from __future__ import annotations

import html
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.comparisons import make_baseline, make_comparison, make_family
from helpers.mlflow_ui import CHROMIUM, browser_page
from helpers.synthetic_study import finished_study, make_study, make_trial

from search import StudyResult
from search.api import BacktestResult, ComparisonResult, RefitResult
from search.compare.results import Advice
from search.study.backtest_records import BacktestBaseline, Parts, SeriesPart
from search.study.blend_records import BlendMember, BlendRecord, SingleRecord
from search.study.records import IntervalRecord, StudyRecord
from search.study.refit_records import RefitRecord

REASON = "The new model is champion: on the last new rows its recipe has the MAE 2.4, the champion 2.5."
REFIT = RefitRecord(
    "2026-01-31T06:00:00+00:00", "later.csv", "20 rows more", 2.5, "It wins.", False, 2.4, 2.45, True, REASON
)


def study(record: StudyRecord | None = None, **changes: Any) -> StudyResult:
    return StudyResult(replace(record or finished_study(), **changes), Path("/work"))


def backtested(**changes: Any) -> BacktestResult:
    values: dict[str, Any] = {
        "model": "weather",
        "task": "forecast",
        "metric": "mae",
        "direction": "minimize",
        "source": "later.csv",
        "scored": "14 forecasts of 20 rows",
        "score": 2.5,
        "metrics": {"mae": 2.5, "rmse": 3.5},
        "holdout": {"mae": 2.25},
        "intervals": (IntervalRecord(0.8, 0.75, 4.0),),
        "baselines": {"naive": BacktestBaseline(3.0), "ets": BacktestBaseline(None, reason="too few rows")},
        "verdict": "The model beats the best baseline (naive).",
        "beats_baselines": True,
        "drift": "MAE is 2.5, 11.1% higher than on the holdout.",
        "parts": Parts(series=(SeriesPart("a <b>", 14, 2.5, 3.0, ()),)),
        "notes": ("3 rows were left out",),
    }
    return BacktestResult(**{**values, **changes})


def compared() -> ComparisonResult:
    gru = make_family("gru", standing="best", difference=None)
    advice = (Advice("accuracy", "gru", "best score on the folds"),)
    made = make_comparison(gru, make_family("lstm"), baseline_results=(make_baseline(),), advice=advice)
    return ComparisonResult.of(made)


def refitted(**changes: Any) -> RefitResult:
    return RefitResult(study(), replace(REFIT, **changes), backtested())


RESULTS = {
    "study": study, "running": lambda: study(make_study(make_trial(0, "RUNNING"))), "backtest": backtested,
    "comparison": compared, "refit": refitted,
}  # fmt: skip


def text_of(shown: str) -> str:
    """What is read, without the style and tags."""
    body = re.sub(r"<style>.*?</style>", "", shown, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.mark.parametrize("name", RESULTS)
def test_the_output_needs_nothing_else_and_changes_nothing_else(name: str) -> None:
    shown = RESULTS[name]()._repr_html_()

    assert "<script" not in shown
    assert not re.search(r"https?://|url\(|@import| on\w+=", shown)
    assert shown.startswith('<div class="lstmgru-search">')
    style = re.sub(r"/\*.*?\*/", "", shown.partition("<style>")[2].partition("</style>")[0])
    selectors = [each.strip() for rule in re.findall(r"([^{}]+)\{", style) for each in rule.split(",")]
    assert [each for each in selectors if not each.startswith(".lstmgru-search")] == []


@pytest.mark.parametrize("name", RESULTS)
def test_a_terminal_shows_one_line(name: str) -> None:
    said = repr(RESULTS[name]())

    assert "\n" not in said
    assert len(said) < 200


def test_a_study_shows_its_verdict_and_the_leaderboard() -> None:
    members = (BlendMember(0.75, trial=0), BlendMember(0.25, baseline="linear"))
    blend = BlendRecord(members, 2.7, 2.6, SingleRecord(0, 3.0, 2.7))
    said = text_of(study(blend=blend, refits=(REFIT,))._repr_html_())

    for expected in (
        "weather Forecasts of temp_max, 7 steps ahead, scored by MAE (smaller is better).",
        "Use this model The winner beats linear.",
        "model trial weight folds holdout parameters seconds",
        "blend: 2 members 2.700 2.600",
        "baseline: linear 25% 2.800 2.640",
        "lstm(8) > gru(32) 0 75% 3.000 2.700",
        "6 trials: 4 complete, 1 pruned, 1 failed.",
        "Refit of 2026-01-31 on later.csv, 20 rows more. The new model is champion",
    ):
        assert expected in said, expected


def test_a_study_that_has_just_begun_says_so() -> None:
    shown = study(make_study())._repr_html_()

    assert "There is no verdict yet" in text_of(shown)
    assert "0 trials." in text_of(shown)
    assert "<table" not in shown


def test_trials_beyond_the_first_are_counted_and_names_are_escaped() -> None:
    trials = [make_trial(number, layers=f"<b>{number}") for number in range(15)]
    shown = study(make_study(*trials, study="a<b>"))._repr_html_()

    assert "15 trials: 15 complete; 5 more not shown." in text_of(shown)
    assert "<b>" not in shown
    assert "a&lt;b&gt;" in shown


def test_a_backtest_shows_scores_change_and_parts() -> None:
    said = text_of(backtested()._repr_html_())

    for expected in (
        "weather on later.csv: 14 forecasts of 20 rows.",
        "Use this model The model beats the best baseline (naive).",
        "11.1% higher than on the holdout.",
        "Note: 3 rows were left out.",
        "model 2.500 2.250 +11.1%",
        "baseline: naive 3.000",
        "Not scored: ets: too few rows.",
        "80% 75.0%",
        "By series series forecasts MAE best baseline a <b> 14 2.500 3.000",
    ):
        assert expected in said, expected


def test_a_refit_shows_the_decision_and_both_scores() -> None:
    said = text_of(refitted()._repr_html_())
    kept = text_of(refitted(promoted=False, beaten=True, against=None)._repr_html_())

    assert f"New champion {REASON}" in said
    assert "the recipe, trained before them last new rows 2.400 the old champion last new rows 2.450" in said
    assert "The old champion on the new rows weather on later.csv" in said
    assert "New challenger" in kept
    assert "The champion no longer beats the baselines" in kept


def test_a_comparison_shows_the_recommendation_and_folds_the_tables_away() -> None:
    shown = compared()._repr_html_()

    assert "2 families of networks, scored by MAE" in text_of(shown)
    assert "accuracy gru best score on the folds" in text_of(shown)
    assert {"Scores", "Costs", "Limitations"} <= set(re.findall(r"<summary>(.*?)</summary>", shown))


_FAINT = """() => {
  const part = (value) => { const s = value / 255; return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const page = light(numbers(getComputedStyle(document.body).backgroundColor));
  return [...document.querySelectorAll(".lstmgru-search *")].filter((each) => each.tagName !== "STYLE")
    .filter((each) => [...each.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim()))
    .filter((each) => {
      const own = light(numbers(getComputedStyle(each).color));
      return (Math.max(own, page) + 0.05) / (Math.min(own, page) + 0.05) < 4.5;
    }).map((each) => each.textContent);
}"""


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("REQUIRE_BROWSER"), reason="there is no chromium on this machine"
)
def test_everything_can_be_read_in_light_and_dark_themes() -> None:
    themes = {"light": ("#ffffff", "#24292e"), "dark": ("#111111", "#d4d4d4")}
    shown = "".join(make()._repr_html_() for make in RESULTS.values())
    with browser_page() as page:
        for theme, (background, ink) in themes.items():
            page.set_content(f'<body style="background: {background}; color: {ink}">{shown}</body>')
            assert page.evaluate(_FAINT) == [], theme
            page.set_viewport_size({"width": 480, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= 480, theme
