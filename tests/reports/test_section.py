"""The search section of a report: which plots there are, their names, and what they show."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from helpers.report_study import MAX_EPOCHS, START, Made, make_label_store, make_store

from search.reports.charts.chart import Chart
from search.reports.charts.marks import Dots, Line
from search.reports.trials.history import curves_chart, history_chart, objectives, pareto_chart
from search.reports.trials.parameters import alone_chart, together_chart
from search.reports.trials.section import front_html, search_html
from search.study.store import StudyStore

# Of Optuna's, about what is experimental and about few trials.
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning", "ignore::UserWarning")

optuna.logging.set_verbosity(optuna.logging.WARNING)

EVERYTHING = [
    "Optimization history",
    "Intermediate values",
    "Parameter importance",
    "Parallel coordinates",
    "Individual parameters",
    "Timeline",
]


def page_of(folder: Path, trials: Sequence[Made]) -> str:
    store = make_store(folder, trials)
    return search_html(store.record(), store.study, START)


def headings(page: str) -> list[str]:
    return re.findall(r"<h3>(.*?)</h3>", page)


NAMES = ("score", "latency", "n_parameters")


NAN = pytest.approx(math.nan, nan_ok=True)


def dots(chart: Chart, name: str) -> Dots:
    """The points of that name."""
    [found] = [mark for mark in chart.marks if mark.name == name and isinstance(mark, Dots)]
    return found


def points(chart: Chart, name: str) -> list[tuple[float, float]]:
    """The points, or the line, of that name."""
    found = [mark for mark in chart.marks if mark.name == name]
    mark = next((mark for mark in found if isinstance(mark, Dots)), found[0])
    assert isinstance(mark, Dots | Line)
    return list(zip(mark.x, mark.y, strict=True))


def names_of(chart: Chart) -> list[str]:
    """The entries of the legend."""
    return list(dict.fromkeys(mark.name for mark in chart.marks if mark.legend))


def several(folder: Path, values: Sequence[tuple[float, ...]], **made: Any) -> StudyStore:
    """A study with as many objectives as there are values of each trial."""
    return make_store(folder, [Made(values=each, **made) for each in values], objectives=NAMES[: len(values[0])])


# --- which plots ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([], []),
        ([Made("WAITING")], []),
        ([Made("RUNNING")], ["Intermediate values", "Timeline"]),
        ([Made("PRUNED", reason="x")] * 3, ["Intermediate values", "Timeline"]),
        ([Made()], [name for name in EVERYTHING if name not in ("Parallel coordinates", "Individual parameters")]),
        ([Made(), Made()], EVERYTHING),
    ],
    ids=["nothing", "waiting", "running", "pruned", "one", "two"],
)
def test_a_study_gets_the_plots_that_it_has_enough_trials_for(
    tmp_path: Path, trials: list[Made], expected: list[str]
) -> None:
    page = page_of(tmp_path, trials)

    assert headings(page) == expected
    assert ("will be drawn once a trial is complete" in page) == ("Optimization history" not in expected)
    unimportant = f"Importances cannot be computed: at least 4 complete trials are needed, and there are {len(trials)}."
    assert (unimportant in page) == ("Parameter importance" in expected)


def test_equal_scores_have_no_importances_but_plots(tmp_path: Path) -> None:
    page = page_of(tmp_path, [Made(values=(3.0,))] * 8)

    assert headings(page) == EVERYTHING
    assert "Importances cannot be computed: too many trials have the same score" in page


def test_every_axis_has_a_name_of_the_field(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made()] * 8)
    names = {name for trial in store.study.trials for name in trial.params}

    page = search_html(store.record(), store.study, START)

    assert "Objective Value" not in page
    assert "Intermediate Value" not in page
    titles = re.findall(r'<div class="axis-title( x)?">(.*?)</div>', page)
    # The history, the curves, and the six most important parameters by themselves.
    assert [title for _, title in titles].count("MAE") == 2 + 6
    assert len(names & {title for _, title in titles}) == 6


def test_of_many_parameters_the_most_important_are_drawn(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made()] * 30, overrides=["space={preset: full}"])
    names = {name for trial in store.study.trials for name in trial.params}
    assert len(names) > 24

    page = search_html(store.record(), store.study, START)

    assert f"The 15 most important of {len(names)} parameters are drawn." in page
    assert f"The 7 most important of {len(names)} parameters are drawn." in page
    assert f"The 6 most important of {len(names)} parameters are drawn." in page


# --- history ----------------------------------------------------------------------------------------------------------


def test_the_history_shows_complete_trials_the_best_so_far_and_a_baseline(tmp_path: Path) -> None:
    made = [Made(values=(3.0,)), Made("PRUNED", reason="x"), Made(values=(2.5,)), Made("FAIL"), Made(values=(2.8,))]
    store = make_store(tmp_path, made)

    chart = history_chart(store.record(), store.study, objectives(store.study, "MAE")[0], ("seasonal_naive", 2.9))

    assert points(chart, "complete") == [(0, 3.0), (2, 2.5), (4, 2.8)]
    assert points(chart, "best so far") == [(0, 3.0), (2, 2.5), (4, 2.5), (4, 2.5)]
    assert points(chart, "pruned or stopped") == [(1, pytest.approx(2.99 + 1 / 3))]  # its last score
    assert [(rule.at, rule.text) for rule in chart.rules] == [(2.9, "seasonal naive")]
    assert names_of(chart) == ["best so far", "complete", "pruned or stopped"]


def test_a_trial_that_went_astray_is_left_out_and_counted(tmp_path: Path) -> None:
    made = [Made(values=(3 + 0.01 * number if number != 4 else 1e6,)) for number in range(9)]
    store = make_store(tmp_path, made)

    page = search_html(store.record(), store.study, START)
    chart = history_chart(store.record(), store.study, objectives(store.study, "MAE")[0], ("linear", 2.5))

    assert page.count("1 trial lies above the plotted range.") == 2  # the history, the individual parameters
    assert "6 values lie above the plotted range." in page  # its intermediate values
    low, high = chart.y.span or (0, 0)
    assert low < 2.5  # the baseline is seen
    assert 3.08 < high < 4


def test_of_a_score_that_is_better_the_larger_the_history_goes_up(tmp_path: Path) -> None:
    made = [Made(values=(value,)) for value in (0.5, 0.7, 0.6, -9.0, 0.8, 0.65, 0.64)]
    store = make_label_store(tmp_path, made)
    [score] = objectives(store.study, "accuracy")

    chart = history_chart(store.record(), store.study, score, ("nearest_neighbor", 0.9))
    page = search_html(store.record(), store.study, START)

    assert score.larger_is_better
    assert [value for _, value in points(chart, "best so far")][:-1] == [0.5, 0.7, 0.7, 0.7, 0.8, 0.8, 0.8]
    low, high = chart.y.span or (0, 0)
    assert 0.4 < low < 0.5
    assert high > 0.9
    assert page.count("1 trial lies below the plotted range.") == 2
    assert "6 values lie below the plotted range." in page
    assert ">ridge</text>" in page  # of 0.6; the other one has 0.4
    assert ">majority</text>" not in page


def test_trials_that_break_a_bound_are_marked(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made(), Made(constraints={"latency": 1.0})])

    chart = history_chart(store.record(), store.study, objectives(store.study, "MAE")[0], None)

    assert [number for number, _ in points(chart, "violates a bound")] == [1]
    assert [value for _, value in points(chart, "best so far")] == [3.0, 3.0]


# --- learning curves --------------------------------------------------------------------------------------------------


def test_a_curve_is_broken_between_folds_and_says_where_it_is(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made(values=(3.0,))])

    [curve] = curves_chart(store.record(), store.study, None, "MAE").marks

    assert isinstance(curve, Line)
    assert list(curve.x) == [1, 2, 3, NAN, MAX_EPOCHS + 1, MAX_EPOCHS + 2, MAX_EPOCHS + 3]
    assert list(curve.y)[:3] == [4.0, 3.5, 3 + 1 / 3]


def test_a_curve_is_broken_at_the_same_place_if_the_study_leaves_the_epochs_open(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made(values=(3.0,))])
    record = store.record()
    training = record.config["training"] | {"max_epochs": "auto"}

    [curve] = curves_chart(
        replace(record, config=record.config | {"training": training}), store.study, None, "MAE"
    ).marks

    assert isinstance(curve, Line)
    assert list(curve.x) == [1, 2, 3, NAN, MAX_EPOCHS + 1, MAX_EPOCHS + 2, MAX_EPOCHS + 3]


def test_the_best_trial_stands_out_and_each_state_has_one_entry_in_the_legend(tmp_path: Path) -> None:
    stopped = Made("PRUNED", reason="the time budget ended")
    store = make_store(tmp_path, [Made(), Made(), Made(), Made("PRUNED"), Made("PRUNED"), stopped, Made("FAIL")])

    chart = curves_chart(store.record(), store.study, 1, "MAE")

    assert sorted(names_of(chart)) == ["complete", "failed", "pruned", "stopped", "trial 1, the best"]
    assert chart.marks[-1].name == "trial 1, the best"  # above all others
    assert [rule.text for rule in chart.rules] == ["fold 1", "fold 2"]


# --- parameters -------------------------------------------------------------------------------------------------------


def test_an_axis_shows_all_that_could_be_chosen(tmp_path: Path) -> None:
    study = make_store(tmp_path, [Made()] * 8, overrides=["space={preset: full}"]).study
    [score] = objectives(study, "MAE")

    assert alone_chart(study, "cell_1", score).x.words == ("lstm", "gru", "fused")
    assert alone_chart(study, "layer_norm", score).x.words == ("false", "true")
    rate = alone_chart(study, "learning_rate", score).x
    assert rate.kind == "log"
    assert [text for _, text in rate.ticks(10)] == ["0.0005", "0.001", "0.002", "0.005", "0.01"]
    assert rate.ends[0] < 5e-4 < 1e-2 < rate.ends[1]
    depth = alone_chart(study, "n_layers", score).x
    assert [text for _, text in depth.ticks(10)] == ["1", "2", "3", "4"]
    assert depth.span == (0.6, 4.4)


def strength(chart: Chart) -> dict[str, float]:
    """How dark the line of each trial is."""
    return {mark.label: mark.opacity for mark in chart.marks if isinstance(mark, Line)}


def test_parallel_lines_are_the_darker_the_better_the_rank_of_the_score(tmp_path: Path) -> None:
    study = make_store(tmp_path, [Made(values=(value,)) for value in (3.0, 1e9, 2.0, 3.0)]).study
    [score] = objectives(study, "MAE")

    chart = together_chart(study, ["n_layers", "dropout"], score)

    found = strength(chart)
    assert found["trial 2"] > found["trial 0"] == found["trial 3"] > found["trial 1"]
    assert chart.x.words == ("MAE", "n_layers", "dropout")
    assert names_of(chart) == ["other trials", "the best trial"]


def test_the_darkest_line_is_the_best_trial_either_way(tmp_path: Path) -> None:
    values = [Made(values=(value,)) for value in (0.3, 0.9, 0.6)]
    darkest = {}
    for store in (make_store(tmp_path, values), make_label_store(tmp_path, values)):
        [score] = objectives(store.study, "score")
        found = strength(together_chart(store.study, ["dropout"], score))
        darkest[store.direction] = max(found, key=found.__getitem__)

    assert darkest == {"minimize": "trial 0", "maximize": "trial 1"}


# --- several objectives -----------------------------------------------------------------------------------------------


def test_objectives_have_names_for_people(tmp_path: Path) -> None:
    study = several(tmp_path, [(1.0, 2.0, 3.0)]).study

    assert [aim.label for aim in objectives(study, "MASE")] == ["MASE", "latency (ms)", "parameters"]
    assert [aim.alone for aim in objectives(make_store(tmp_path, []).study, "mae")] == [True]


def test_objectives_without_names_are_counted() -> None:
    study = optuna.create_study(directions=["minimize", "minimize"])

    assert [aim.label for aim in objectives(study, "MAE")] == ["objective 1", "objective 2"]


@pytest.mark.parametrize("count", [2, 3])
def test_each_objective_is_drawn_against_the_score_and_over_time(tmp_path: Path, count: int) -> None:
    values = [tuple(3.0 + (number * (place + 1)) % 5 for place in range(count)) for number in range(9)]
    store = several(tmp_path, values)

    page = search_html(store.record(), store.study, START)

    assert [heading for heading in headings(page) if heading.startswith("Optimization")] == [
        "Optimization history",
        *(f"Optimization history: {name}" for name in ("latency (ms)", "parameters")[: count - 1]),
    ]
    assert front_html(store.record(), store.study).count('<figure class="chart"') == count - 1
    assert "dominated by the fewest other trials" in page
    assert "Intermediate values" not in page  # Optuna takes none of several objectives


def test_the_front_is_that_of_all_objectives(tmp_path: Path) -> None:
    store = several(tmp_path, [(1.0, 5.0, 9.0), (2.0, 4.0, 9.0), (3.0, 6.0, 1.0), (4.0, 7.0, 2.0)])
    score, latency, _ = objectives(store.study, "MAE")

    chart = pareto_chart(store.record(), store.study, score, latency)

    assert sorted(points(chart, "Pareto front")) == [(4000, 2), (5000, 1), (6000, 3)]
    assert points(chart, "other trials") == [(7000, 4)]
    assert sorted(dots(chart, "Pareto front").texts) == ["trial 0", "trial 1", "trial 2"]
    assert "better in one): 0, 1, 2." in front_html(store.record(), store.study)


def test_on_the_front_of_a_score_that_is_better_the_larger_costs_are_still_small(tmp_path: Path) -> None:
    values = [(0.9, 5.0), (0.8, 4.0), (0.7, 6.0), (0.6, 1.0)]
    store = make_label_store(tmp_path, [Made(values=each) for each in values], objectives=("score", "latency"))
    score, latency = objectives(store.study, "accuracy")

    chart = pareto_chart(store.record(), store.study, score, latency)

    assert (score.larger_is_better, latency.larger_is_better) == (True, False)
    assert store.record().front == [0, 1, 3]
    assert sorted(dots(chart, "Pareto front").texts) == ["trial 0", "trial 1", "trial 3"]
    assert points(chart, "other trials") == [(6000.0, 0.7)]


def test_the_front_keeps_the_bounds(tmp_path: Path) -> None:
    broken = {(1.0, 0.005): {"latency": 1.5}, (2.0, 0.002): {"latency": 0.0}}
    trials = [Made(values=values, constraints=constraints) for values, constraints in broken.items()]
    store = make_store(tmp_path, trials, objectives=("score", "latency"), overrides=["search.bounds=latency <= 2ms"])
    score, latency = objectives(store.study, "MAE")

    chart = pareto_chart(store.record(), store.study, score, latency)

    assert points(chart, "Pareto front") == [(2.0, 2)]
    assert points(chart, "violates a bound") == [(5.0, 1)]
    assert [(rule.at, rule.text, rule.upright) for rule in chart.rules] == [(2.0, "latency <= 2ms", True)]
    assert "better in one): 1." in front_html(store.record(), store.study)


def test_what_optuna_knows_of_a_trial_does_not_go_into_the_page(tmp_path: Path) -> None:
    store = several(tmp_path, [(1.0, 5.0), (2.0, 4.0)], reason="/home/someone/secret")

    assert "secret" not in search_html(store.record(), store.study, START) + front_html(store.record(), store.study)


# --- long studies -----------------------------------------------------------------------------------------------------


def test_of_very_many_trials_the_best_and_an_even_sample_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.reports.trials.sample.MOST_DRAWN", 5)
    monkeypatch.setattr("search.reports.trials.sample._BEST", 2)
    worst_to_best = [Made(values=(9.0 - number,)) for number in range(9)]
    store = make_store(tmp_path, worst_to_best)
    (score,) = objectives(store.study, "MAE")

    curves = curves_chart(store.record(), store.study, 0, "MAE")
    alone = alone_chart(store.study, "learning_rate", score)
    lines = together_chart(store.study, ["learning_rate"], score)
    page = search_html(store.record(), store.study, START)

    assert sorted(number for mark in curves.marks for number in mark.trials) == [0, 1, 4, 7, 8]
    assert [number for mark in alone.marks for number in mark.trials] == [0, 3, 6, 7, 8]
    assert sorted(number for mark in lines.marks for number in mark.trials) == [0, 3, 6, 7, 8]
    assert page.count("5 of 9 trials are drawn: the best ones, and an even sample of the others.") == 3


def test_shades_are_described_so_that_it_is_true_in_a_dark_scheme(tmp_path: Path) -> None:
    page = page_of(tmp_path, [Made() for _ in range(6)])

    assert "the stronger its color, the better its MAE" in page
    assert "later trials have stronger colors" in page
    assert "darker" not in page
