"""Optuna's plots in one file."""

from __future__ import annotations

import re

import optuna
import pytest

from search.tracking.plots import plots_html


def make_study(n_complete: int, *, name: str = "weather", running: bool = False) -> optuna.Study:
    study = optuna.create_study(study_name=name, sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(n_complete + running):
        trial = study.ask()
        layers = trial.suggest_int("n_layers", 1, 2)
        for layer in range(layers):
            trial.suggest_categorical(f"layer_{layer + 1}.cell", ["lstm", "gru", "</script>"])
        rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
        trial.report(rate, 1)
        if number < n_complete:
            study.tell(trial, rate)
    return study


@pytest.mark.parametrize(
    ("study", "n_plots"),
    [(make_study(0), 0), (make_study(0, running=True), 1), (make_study(1), 2), (make_study(8), 5)],
)
def test_a_study_gets_the_plots_that_it_has_enough_trials_for(study: optuna.Study, n_plots: int) -> None:
    page = plots_html(study)
    assert page.count("<h2>") == n_plots
    assert page.count('class="plotly-graph-div"') == n_plots
    assert ("No trial has a value yet" in page) == (n_plots == 0)


def test_equal_scores_have_no_importances() -> None:
    study = optuna.create_study()
    for _ in range(3):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        study.tell(trial, 1.0)
    assert plots_html(study).count("<h2>") == 1


def test_the_page_holds_plotly_once_and_loads_nothing() -> None:
    page = plots_html(make_study(4))
    assert len(re.findall(r"\* plotly\.js v\d", page)) == 1
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"(src|href)\s*=", markup)
    assert not re.search(r"<script[^>]+src=", page)


def test_names_cannot_break_out_of_the_page() -> None:
    page = plots_html(make_study(3, name="<script>alert(1)</script>"))
    assert "<script>alert(1)" not in page
    assert "<h1>&lt;script&gt;alert(1)&lt;/script&gt;: plots of the search</h1>" in page
    assert page.count("<script") == page.count("</script>")
