"""The search section of a report: which plots there are, their names, and what they show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from helpers.report_study import MAX_EPOCHS, START, Made, make_label_store, make_store

from search.reports.search.history import curves_figure, history_figure, objectives, pareto_figure
from search.reports.search.parameters import alone_figure, together_figure
from search.reports.search.section import search_html
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
    # The history, the curves, all parameters together, and each by itself.
    assert page.count('"text":"score (mae)"') == 3 + len(names)
    assert [name for name in names if f'"text":"{name}"' not in page] == []


def test_of_many_parameters_the_most_important_are_drawn(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made()] * 30, overrides=["space={preset: full}"])
    names = {name for trial in store.study.trials for name in trial.params}
    assert len(names) > 24

    page = search_html(store.record(), store.study, START)

    assert f"The 15 most important of {len(names)} parameters are drawn." in page
    assert f"The 7 most important of {len(names)} parameters are drawn." in page
    assert f"The 24 most important of {len(names)} parameters are drawn." in page


# --- history ----------------------------------------------------------------------------------------------------------


def test_the_history_shows_complete_trials_the_best_so_far_and_a_baseline(tmp_path: Path) -> None:
    made = [Made(values=(3.0,)), Made("PRUNED", reason="x"), Made(values=(2.5,)), Made("FAIL"), Made(values=(2.8,))]
    study = make_store(tmp_path, made).study

    figure = history_figure(study, objectives(study, "mae")[0], ("seasonal_naive", 2.9))

    traces = {trace.name: trace for trace in figure.data}
    assert list(traces["trial"].x) == [0, 2, 4]
    assert list(traces["trial"].y) == [3.0, 2.5, 2.8]
    assert list(traces["best so far"].y) == [3.0, 3.0, 2.5, 2.5, 2.5]
    assert list(traces["baseline: seasonal naive"].y) == [2.9, 2.9]
    assert not traces["violates a bound"].showlegend


def test_a_trial_that_went_astray_is_left_out_and_counted(tmp_path: Path) -> None:
    made = [Made(values=(3 + 0.01 * number if number != 4 else 1e6,)) for number in range(9)]
    store = make_store(tmp_path, made)

    page = search_html(store.record(), store.study, START)
    figure = history_figure(store.study, objectives(store.study, "mae")[0], ("linear", 2.5))

    assert page.count("1 trial lies above the plotted range.") == 2  # the history, the individual parameters
    assert "6 values lie above the plotted range." in page  # its intermediate values
    low, high = figure.layout.yaxis.range
    assert low < 2.5  # the baseline is seen
    assert 3.08 < high < 4


def test_of_a_score_that_is_better_the_larger_the_history_goes_up(tmp_path: Path) -> None:
    made = [Made(values=(value,)) for value in (0.5, 0.7, 0.6, -9.0, 0.8, 0.65, 0.64)]
    store = make_label_store(tmp_path, made)
    [score] = objectives(store.study, "accuracy")

    figure = history_figure(store.study, score, ("nearest_neighbor", 0.9))
    page = search_html(store.record(), store.study, START)

    traces = {trace.name: trace for trace in figure.data}
    assert score.larger_is_better
    assert list(traces["best so far"].y) == [0.5, 0.7, 0.7, 0.7, 0.8, 0.8, 0.8]
    low, high = figure.layout.yaxis.range
    assert 0.4 < low < 0.5
    assert high > 0.9
    assert page.count("1 trial lies below the plotted range.") == 2
    assert "6 values lie below the plotted range." in page
    assert "baseline: ridge" in page  # of 0.6; the other one has 0.4
    assert "baseline: majority" not in page


def test_trials_that_break_a_bound_are_marked(tmp_path: Path) -> None:
    study = make_store(tmp_path, [Made(), Made(constraints={"latency": 1.0})]).study

    traces = {trace.name: trace for trace in history_figure(study, objectives(study, "mae")[0], None).data}

    assert list(traces["violates a bound"].x) == [1]
    assert traces["violates a bound"].showlegend


# --- learning curves --------------------------------------------------------------------------------------------------


def test_a_curve_is_broken_between_folds_and_says_where_it_is(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made(values=(3.0,))])

    [curve] = curves_figure(store.record(), store.study, None).data

    assert list(curve.x) == [1, 2, 3, None, MAX_EPOCHS + 1, MAX_EPOCHS + 2, MAX_EPOCHS + 3]
    assert curve.y[:3] == (4.0, 3.5, 3 + 1 / 3)
    assert [*curve.customdata[0], *curve.customdata[-1]] == [1, 1, 2, 3]


def test_a_curve_is_broken_at_the_same_place_if_the_study_leaves_the_epochs_open(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made(values=(3.0,))])
    record = store.record()
    training = record.config["training"] | {"max_epochs": "auto"}

    [curve] = curves_figure(replace(record, config=record.config | {"training": training}), store.study, None).data

    assert list(curve.x) == [1, 2, 3, None, MAX_EPOCHS + 1, MAX_EPOCHS + 2, MAX_EPOCHS + 3]


def test_the_best_trial_stands_out_and_each_state_has_one_entry_in_the_legend(tmp_path: Path) -> None:
    stopped = Made("PRUNED", reason="the time budget ended")
    store = make_store(tmp_path, [Made(), Made(), Made(), Made("PRUNED"), Made("PRUNED"), stopped, Made("FAIL")])

    figure = curves_figure(store.record(), store.study, 1)

    entries = [trace.name for trace in figure.data if trace.showlegend]
    assert sorted(entries) == ["complete", "failed", "pruned", "stopped", "trial 1, the best"]
    assert figure.data[-1].name == "trial 1, the best"  # above all others
    assert [note.text for note in figure.layout.annotations] == ["fold 1", "fold 2"]


# --- parameters -------------------------------------------------------------------------------------------------------


def test_an_axis_shows_all_that_could_be_chosen(tmp_path: Path) -> None:
    study = make_store(tmp_path, [Made()] * 8, overrides=["space={preset: full}"]).study
    [score] = objectives(study, "mae")

    cell = alone_figure(study, "cell_1", score).layout.xaxis
    assert cell.ticktext == ("lstm", "gru", "fused")
    residual = alone_figure(study, "layer_norm", score).layout.xaxis
    assert (residual.tickvals, residual.ticktext) == (("False", "True"), ("false", "true"))
    rate = alone_figure(study, "learning_rate", score).layout.xaxis
    assert rate.type == "log"
    assert rate.ticktext == ("0.0005", "0.001", "0.002", "0.005", "0.01")
    assert 10 ** rate.range[0] < 5e-4 < 1e-2 < 10 ** rate.range[1]
    depth = alone_figure(study, "n_layers", score).layout.xaxis
    assert (depth.dtick, depth.range) == (1, (0.6, 4.4))


def test_colors_of_parallel_lines_go_by_the_rank_of_the_score(tmp_path: Path) -> None:
    study = make_store(tmp_path, [Made(values=(value,)) for value in (3.0, 1e9, 2.0, 3.0)]).study
    [score] = objectives(study, "mae")

    figure = together_figure(study, ["n_layers", "dropout"], score)

    lines = [trace for trace in figure.data if trace.mode == "lines"]
    colors = {(line.customdata[0][1], line.line.color) for line in lines}
    assert len(lines) == 4
    assert len(colors) == 3  # equal scores have one color, others do not
    assert len({color for _, color in colors}) == 3
    assert all(line.customdata[0][0] == "score (mae)" for line in lines)


def test_the_darkest_line_is_the_best_trial_either_way(tmp_path: Path) -> None:
    values = [Made(values=(value,)) for value in (0.3, 0.9, 0.6)]
    darkest = {}
    for store in (make_store(tmp_path, values), make_label_store(tmp_path, values)):
        [score] = objectives(store.study, "score")
        lines = [line for line in together_figure(store.study, ["dropout"], score).data if line.mode == "lines"]
        brightness = {line.customdata[0][1]: sum(map(int, re.findall(r"\d+", line.line.color))) for line in lines}
        darkest[store.direction] = min(brightness, key=brightness.__getitem__)

    assert darkest == {"minimize": "0.3", "maximize": "0.9"}


# --- several objectives -----------------------------------------------------------------------------------------------


def test_objectives_have_names_for_people(tmp_path: Path) -> None:
    study = several(tmp_path, [(1.0, 2.0, 3.0)]).study

    assert [aim.label for aim in objectives(study, "mase")] == ["score (mase)", "latency (s)", "parameters"]
    assert [aim.alone for aim in objectives(make_store(tmp_path, []).study, "mae")] == [True]


def test_objectives_without_names_are_counted() -> None:
    study = optuna.create_study(directions=["minimize", "minimize"])

    assert [aim.label for aim in objectives(study, "mae")] == ["objective 1", "objective 2"]


@pytest.mark.parametrize("count", [2, 3])
def test_each_objective_is_drawn_against_the_score_and_over_time(tmp_path: Path, count: int) -> None:
    values = [tuple(3.0 + (number * (place + 1)) % 5 for place in range(count)) for number in range(9)]
    store = several(tmp_path, values)

    page = search_html(store.record(), store.study, START)

    assert [heading for heading in headings(page) if heading.startswith("Optimization")] == [
        "Optimization history",
        *(f"Optimization history: {name}" for name in ("latency (s)", "parameters")[: count - 1]),
    ]
    assert page.partition("<h3>Optimization")[0].count('class="plotly-graph-div"') == count - 1
    assert "dominated by the fewest other trials" in page
    assert "Intermediate values" not in page  # Optuna takes none of several objectives


def test_the_front_is_that_of_all_objectives(tmp_path: Path) -> None:
    store = several(tmp_path, [(1.0, 5.0, 9.0), (2.0, 4.0, 9.0), (3.0, 6.0, 1.0), (4.0, 7.0, 2.0)])
    score, latency, _ = objectives(store.study, "mae")

    traces = {trace.name: trace for trace in pareto_figure(store.study, score, latency).data}

    assert sorted(zip(traces["Pareto front"].x, traces["Pareto front"].y, strict=True)) == [(4, 2), (5, 1), (6, 3)]
    assert list(zip(traces["other trials"].x, traces["other trials"].y, strict=True)) == [(7, 4)]
    assert sorted(traces["Pareto front"].customdata) == [0, 1, 2]
    assert "better in one): 0, 1, 2." in search_html(store.record(), store.study, START)


def test_on_the_front_of_a_score_that_is_better_the_larger_costs_are_still_small(tmp_path: Path) -> None:
    values = [(0.9, 5.0), (0.8, 4.0), (0.7, 6.0), (0.6, 1.0)]
    store = make_label_store(tmp_path, [Made(values=each) for each in values], objectives=("score", "latency"))
    score, latency = objectives(store.study, "accuracy")

    traces = {trace.name: trace for trace in pareto_figure(store.study, score, latency).data}

    assert (score.larger_is_better, latency.larger_is_better) == (True, False)
    assert sorted(traces["Pareto front"].customdata) == store.record().front == [0, 1, 3]
    assert list(traces["other trials"].y) == [0.7]


def test_the_front_keeps_the_bounds(tmp_path: Path) -> None:
    broken = {(1.0, 0.005): {"latency": 1.5}, (2.0, 0.002): {"latency": 0.0}}
    trials = [Made(values=values, constraints=constraints) for values, constraints in broken.items()]
    store = make_store(tmp_path, trials, objectives=("score", "latency"), overrides=["search.bounds=latency <= 2ms"])
    score, latency = objectives(store.study, "mae")

    traces = {trace.name: trace for trace in pareto_figure(store.study, score, latency).data}

    assert list(traces["Pareto front"].y) == [2]
    assert list(traces["violates a bound"].y) == [1]
    assert "better in one): 1." in search_html(store.record(), store.study, START)


def test_what_optuna_knows_of_a_trial_does_not_go_into_the_page(tmp_path: Path) -> None:
    study = several(tmp_path, [(1.0, 5.0), (2.0, 4.0)], reason="/home/someone/secret").study
    score, latency = objectives(study, "mae")

    assert "secret" not in pareto_figure(study, score, latency).to_json()
