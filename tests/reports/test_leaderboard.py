"""The leaderboard: its order, and what it says of bounds and of a front; in a table, in Markdown and in a terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from helpers.combinations import each_row
from helpers.synthetic_study import make_study, make_trial
from rich.console import Console

from search.cli.tables import print_study
from search.reports.leaderboard import leaderboard, leaderboard_columns, leaderboard_frame
from search.reports.outcome import leaderboard_html
from search.study.blend_records import BlendMember, BlendRecord, SingleRecord
from search.study.records import BaselineRecord, HoldoutRecord, StudyRecord
from search.tracking.describe import description, leaderboard_table

COSTS = {0: (3.0, 900, 0.004), 1: (3.1, 500, 0.003), 2: (3.2, 600, 0.002), 3: (3.3, 700, 0.005)}
"""Score, parameters and latency by trial: the last is worse than the second in everything."""
BASELINES = {"naive": BaselineRecord(3.15), "linear": BaselineRecord(2.0)}


def study(**search: Any) -> StudyRecord:
    trials = [
        make_trial(number, value=score, n_parameters=count, latency=latency, train_seconds=2.0)
        for number, (score, count, latency) in COSTS.items()
    ]
    made = make_study(*trials, baselines=BASELINES)
    made.config["search"] = {"sampler": "tpe", **search}
    return made


BOUND = {"bounds": ["n_parameters <= 800"]}
TWO = {"objectives": ["score", "n_parameters"], "prefer": {"score": 1.0, "n_parameters": 1.0}}


@pytest.mark.parametrize(
    ("search", "order", "best"),
    [
        ({}, ["linear", 0, 1, "naive", 2, 3], 0),
        (BOUND, ["linear", 1, "naive", 2, 3, 0], 1),  # what breaks a bound cannot win
        ({"bounds": ["latency <= 2.5ms"]}, ["linear", "naive", 2, 0, 1, 3], 2),
        ({"bounds": ["latency <= 1ms"]}, ["linear", "naive", 0, 1, 2, 3], None),
        (TWO | {"prefer": {"n_parameters": 1.0}}, ["linear", 0, 1, "naive", 2, 3], 1),
    ],
)
def test_trials_within_the_bounds_come_first_then_the_score_counts(
    search: dict[str, Any], order: list[Any], best: int | None
) -> None:
    made = study(**search)
    assert [row.name if row.trial is None else row.trial for row in leaderboard(made)] == order
    assert (made.best.number if made.best else None) == best


def test_a_trial_that_the_time_ended_is_marked_and_stands_behind_full_scores() -> None:
    made = make_study(
        make_trial(0, "STOPPED", value=0.1),
        baselines=BASELINES,
        holdout=HoldoutRecord(trial=0, score=3.0, metrics={}, verdict="", beats_baselines=False),
    )
    assert [row.name for row in leaderboard(made)] == ["linear", "naive", "lstm(8) > gru(32) (stopped)"]
    assert made.to_json()["trials"][0]["state"] == "STOPPED"
    assert "1 trial: 1 stopped" in shown(made)
    assert "1 trial: 1 stopped." in description(made, tracking_uri="", model_uri=None)


@pytest.mark.parametrize(
    ("search", "order", "best"),
    [
        ({}, [3, 2, "naive", 1, 0, "linear"], 3),
        (BOUND, [3, 2, "naive", 1, "linear", 0], 3),
        (TWO | {"prefer": {"score": 1.0}}, [3, 2, "naive", 1, 0, "linear"], 3),
        (TWO | {"prefer": {"n_parameters": 1.0}}, [3, 2, "naive", 1, 0, "linear"], 1),  # costs stay costs
    ],
)
def test_a_score_that_is_better_the_larger_is_ranked_from_above(
    search: dict[str, Any], order: list[Any], best: int
) -> None:
    made = replace(study(**search), direction="maximize")
    assert [row.name if row.trial is None else row.trial for row in leaderboard(made)] == order
    assert made.best is not None
    assert made.best.number == best
    front = [3] if made.goal.single else [3, 2, 1]  # trial 0 is worse in both
    assert [row.trial for row in leaderboard(made) if row.pareto] == front


def test_the_columns_of_a_study_are_the_same_wherever_people_look() -> None:
    made = replace(study(**TWO, bounds=["latency <= 3.5ms"]), metric="accuracy", direction="maximize")
    names = [column.name for column in leaderboard_columns(made)]
    assert names == [
        "model", "trial", "folds", "holdout", "parameters", "latency", "seconds", "front", "breaks",
    ]  # fmt: skip
    assert [name for name in names if name not in shown(made)] == ["holdout"]  # it has no scores yet
    said = description(made, tracking_uri="sqlite:///x", model_uri=None)
    assert "scored by accuracy (larger is better)" in said
    assert "Judged by: score (maximized) and n_parameters (minimized), with" in said


@pytest.mark.parametrize(
    ("search", "columns"),
    [({}, []), (BOUND, ["broken"]), (TWO, ["pareto"]), (TWO | BOUND, ["pareto", "broken"])],
)
def test_the_table_has_what_a_study_is_about(search: dict[str, Any], columns: list[str]) -> None:
    frame = leaderboard_frame(study(**search))
    known = ["model", "trial", "folds", "holdout", "n_parameters", "latency", "train_seconds", "seconds"]
    assert list(frame.columns) == known + columns
    by_trial = frame.dropna(subset=["trial"]).set_index("trial")
    assert by_trial["latency"].to_dict() == {number: costs[2] for number, costs in COSTS.items()}
    if "pareto" in columns and "broken" not in columns:
        assert by_trial["pareto"].to_dict() == {0: True, 1: True, 2: False, 3: False}
    if "broken" in columns:
        assert by_trial["broken"].to_dict() == {0: "n_parameters <= 800", 1: "", 2: "", 3: ""}


def test_the_markdown_of_an_ordinary_study_says_nothing_of_bounds_or_fronts() -> None:
    first = leaderboard_table(study()).splitlines()[0]
    assert first == "| # | model | trial | MAE, folds | MAE, holdout | parameters |"
    assert "Judged by" not in description(study(), tracking_uri="sqlite:///x", model_uri=None)


def test_the_markdown_marks_the_front_and_names_the_broken_bounds() -> None:
    made = study(**TWO, bounds=["latency <= 3.5ms"])
    lines = leaderboard_table(made).splitlines()
    assert lines[0].endswith("| parameters | latency | front | breaks |")
    assert len({line.count("|") for line in lines}) == 1
    cells = {line.split(" | ")[2]: line.strip("| ").split(" | ")[6:] for line in lines[2:] if "baseline" not in line}
    assert cells["1"][:2] == ["3.00 ms", "*"]
    assert cells["0"][-1] == "latency &lt;= 3.5ms"
    judged = (
        "score (minimized) and n_parameters (minimized), with latency &lt;= 3.5ms; preference: score 1, n_parameters 1"
    )
    assert f"Judged by: {judged}." in description(made, tracking_uri="sqlite:///x", model_uri=None)


def shown(made: StudyRecord, width: int = 160) -> str:
    console = Console(width=width, record=True, quiet=False, file=None, force_terminal=False, highlight=False)
    with console.capture() as capture:
        print_study(console, made)
    return capture.get()


def test_a_terminal_shows_costs_where_the_study_is_about_them() -> None:
    plain, both = shown(study()), shown(study(**TWO, bounds=["latency <= 3.5ms", "train_seconds <= 60"]))
    assert not any(word in plain for word in ("latency", "training", "front", "breaks", "Bounds", "Pareto"))
    assert all(word in both for word in ("latency", "training", "front", "breaks"))
    assert "Bounds: latency <= 3.5ms, train_seconds <= 60s; 2 of 4 break one." in both
    assert (
        "Pareto front of score, n_parameters: 1 trial (*); trial 1 is preferred with score 1, n_parameters 1." in both
    )


def test_all_of_the_front_is_shown_however_long_the_list_is() -> None:
    trials = [make_trial(number, value=float(number), n_parameters=100 - number) for number in range(15)]
    trials += [make_trial(number, value=20.0, n_parameters=100) for number in range(15, 18)]
    made = make_study(*trials)
    made.config["search"] = TWO
    text = shown(made)
    assert text.count("*") == 15 + 1
    assert "18 complete; 3 more not shown" in text
    made.config["search"] = {}
    assert "18 complete; 8 more not shown" in shown(make_study(*trials))


# --- blends -----------------------------------------------------------------------------------------------------------

HOLDOUT = HoldoutRecord(0, 1.75, {"mae": 1.75}, "The blend beats the best baseline.", beats_baselines=True)
BLEND = BlendRecord(
    (BlendMember(0.5, baseline="linear"), BlendMember(0.3, trial=3), BlendMember(0.2, trial=0)),
    1.5,
    1.75,
    SingleRecord(0, 3.0, 3.5),
)


def blended(blend: BlendRecord = BLEND) -> StudyRecord:
    return replace(study(), blend=blend, holdout=HOLDOUT)


def test_a_blend_comes_first_and_its_members_have_weights() -> None:
    rows = leaderboard(blended())
    assert [row.name if row.trial is None else row.trial for row in rows] == [
        "3 members", "linear", 0, 1, "naive", 2, 3,
    ]  # fmt: skip
    assert [(row.folds, row.holdout, row.n_parameters) for row in rows[:1]] == [(1.5, 1.75, 900 + 700)]
    assert {row.name if row.trial is None else row.trial: row.weight for row in rows if row.weight} == {
        "linear": 0.5, 3: 0.3, 0: 0.2,
    }  # fmt: skip
    assert {row.trial: row.holdout for row in rows if row.trial is not None and row.holdout} == {0: 3.5}
    names = [column.name for column in leaderboard_columns(blended())]
    assert names == ["model", "trial", "weight", "folds", "holdout", "parameters", "seconds"]


def test_the_page_says_what_a_single_network_would_cost_and_what_the_exported_model_has_learned_from() -> None:
    made = blended()
    made.config.update(export={"train_on": "everything"}, training={"refit": "all"})
    page = leaderboard_html(made)
    assert "A single network in place of the blend would be 100.0% worse." in page
    assert "the exported one was then trained on all data, the holdout included" in page
    made.config["training"] = {"refit": "last_fold"}
    assert "it has not learned from the holdout" in leaderboard_html(made)
    unknown = replace(BLEND, single=SingleRecord(0, 3.0, None))
    assert "single network" not in leaderboard_html(blended(unknown))


def test_a_narrow_terminal_shows_less_and_breaks_no_word() -> None:
    architecture = "log > window > segments(12) > [gru(52) | lstm(29) > gru(47)] > additive > parallel +linear"
    made = replace(blended(), trials=[replace(trial, layers=architecture) for trial in blended().trials])
    for width, costs in ((80, ()), (100, ("parameters", "seconds")), (160, ("parameters", "seconds"))):
        lines = shown(made, width).splitlines()
        table = [line for line in lines if line.startswith(("┃", "│"))]
        assert max(map(len, lines)) <= width
        assert all("…" not in line for line in table)
        assert tuple(name for name in ("parameters", "seconds") if name in table[0]) == costs
        words = " ".join(line.split("│")[1].strip() for line in table[1:] if "│" in line)
        assert words.count(architecture) == 4
        assert any("blend: 3 members" in line and "1.500 " in line and "1.750" in line for line in table)
        assert any("baseline: linear" in line and "50%" in line for line in table)
    judged = replace(made, config=made.config | {"search": TWO})
    assert "parameters" in shown(judged, 80)


def test_in_a_very_narrow_terminal_no_column_is_cut() -> None:
    lines = shown(study(**TWO, bounds=["latency <= 3.5ms"]), 40).splitlines()

    table = [line for line in lines if line.startswith(("┃", "│"))]
    assert all(line.endswith(("┃", "│")) for line in table)
    assert " front " in table[0]
    assert len({len(line) for line in table}) == 1


@each_row("costs", [("latency", "n_parameters"), ("latency", "train_seconds"), ("n_parameters", "train_seconds")])
@each_row("bounds", [[], ["latency <= 4ms"]])
def test_a_front_fits_into_a_narrow_terminal_with_all_its_objectives(costs: tuple[str, str], bounds: list[str]) -> None:
    architecture = "log_difference > window > segments(12) > [gru(52) | bi-lstm(129)] > multihead(4) > parallel +linear"
    made = study(objectives=["score", *costs], bounds=bounds)
    trials = [replace(each, layers=architecture, n_parameters=1_234_567, train_seconds=1234.5) for each in made.trials]
    made = replace(made, trials=tuple(trials))

    lines = shown(made, 80).splitlines()
    table = [line for line in lines if line.startswith(("┃", "│"))]

    assert max(map(len, lines)) <= 80
    assert all(line.endswith(("┃", "│")) and "…" not in line for line in table)
    titles = {"latency": "latency", "n_parameters": "parameters", "train_seconds": "training"}
    assert all(f" {titles[name]} " in table[0] for name in costs)
    assert " holdout " not in table[0], "nothing is scored there yet"
    numbers = {"latency": "4.00 ms", "n_parameters": "1,234,567", "train_seconds": "1234.5"}
    assert all(any(f" {numbers[name]} " in line for line in table) for name in costs)
    words = {word for line in table[1:] for word in line.split("│")[1].split()}
    assert words >= set(architecture.split())
    assert words <= {*architecture.split(), "baseline:", "naive", "linear"}
    assert any("Pareto front of" in line for line in lines)


def test_a_column_without_content_is_left_out() -> None:
    early = replace(blended(), trials=[], blend=None)
    assert " trial " not in next(line for line in shown(early, 80).splitlines() if line.startswith("┃"))


def test_a_blend_is_in_the_table_of_mlflow_and_in_the_frame() -> None:
    table = leaderboard_table(blended(), rows=1)
    assert "| 1 | *3 members* (blend) |  |  | 1.500 | 1.750 | 1,600 |" in table
    assert "(baseline)" in table
    assert table.count("lstm") == 2  # members are shown, however many trials are asked for
    frame = leaderboard_frame(blended())
    assert frame["model"][0] == "blend"
    assert frame["weight"].sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("member", "rows", "holdout"),
    [
        (BlendMember(1.0, trial=0), ["linear", 0, 1, "naive", 2, 3], 1.75),  # a blend of one trial is the trial
        (BlendMember(1.0, baseline="linear"), ["1 member", "linear", 0, 1, "naive", 2, 3], 3.5),
    ],
)
def test_a_blend_of_one_member(member: BlendMember, rows: list[Any], holdout: float) -> None:
    made = blended(replace(BLEND, members=(member,)))
    assert [row.name if row.trial is None else row.trial for row in leaderboard(made)] == rows
    assert next(row.holdout for row in leaderboard(made) if row.trial == 0) == holdout
