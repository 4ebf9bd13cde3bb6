"""The first screen of a report: the badge, the model beside the baselines, the tiles, and the command."""

from __future__ import annotations

import dataclasses
import html
import re
from pathlib import Path
from typing import Any

from helpers.combinations import each_row
from helpers.report_study import Made, make_label_store, make_store

from lstmgru.evaluation.significance import Interval
from search.reports.architecture import members_chart
from search.reports.charts.marks import Boxes, Dots
from search.reports.first_screen import badge, score_title, standing_chart, standing_html, tiles, use_html
from search.study.blend_records import BlendMember, BlendRecord
from search.study.records import BaselineRecord, HoldoutRecord, IntervalRecord, StudyRecord
from search.tasks.verdict import judge

BASELINES = {"naive": BaselineRecord(3.4, 3.0), "linear": BaselineRecord(2.9, 2.6), "theta": BaselineRecord(3.0)}


def study_of(folder: Path, *, verdict: str = "It wins.", beats: bool = False, **changes: Any) -> StudyRecord:
    store = make_store(folder, [Made(), Made()])
    found = HoldoutRecord(0, 2.5, {"mae": 2.5}, verdict, beats, (IntervalRecord(0.8, 0.826, 8.84),))
    holdout = dataclasses.replace(found, score_interval=(2.1, 2.9), baseline_intervals={"linear": (2.55, 2.65)})
    return dataclasses.replace(store.record(), **{"holdout": holdout, "baselines": BASELINES, **changes})


def verdict_of(score: float, interval: Interval) -> dict[str, Any]:
    """The verdict of a study on a score beside 2.5, as it is written."""
    sentence, beats = judge("mae", score, "seasonal_naive", 2.5, interval, targets=["sales"], choices=1)
    return {"verdict": sentence, "beats": beats}


def blend(*members: BlendMember) -> BlendRecord:
    return BlendRecord(members, 2.4, 2.5)


def text_of(made: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", made)).split())


@each_row(
    ("changes", "words", "look"),
    [
        ({"beats": True}, "Use this model", "verdict good"),
        ({}, "No clear difference", "verdict"),
        ({"verdict": "A simple baseline is better. Use seasonal naive."}, "Use seasonal naive", "verdict bad"),
        ({"verdict": "Not significant. Prefer linear."}, "No clear difference", "verdict"),
        (verdict_of(2.0, Interval(-0.5, -0.7, -0.3, 0.001)), "Use this model", "verdict good"),
        (verdict_of(3.0, Interval(0.5, 0.3, 0.7, 0.001)), "Use seasonal naive", "verdict bad"),
        (verdict_of(2.6, Interval(0.1, -0.1, 0.3, 0.4)), "No clear difference", "verdict"),
        ({"blend": blend(BlendMember(1.0, baseline="linear"))}, "Use linear", "verdict bad"),
        ({"blend": blend(BlendMember(0.5, None, "ets"), BlendMember(0.5, 1))}, "No clear difference", "verdict"),
    ],
)  # fmt: skip
def test_the_badge_says_what_to_use(tmp_path: Path, changes: dict[str, Any], words: str, look: str) -> None:
    made = badge(study_of(tmp_path, **changes))

    assert f'<p class="{look}"><strong>{words}</strong>' in made


def test_before_the_holdout_is_scored_there_is_no_badge(tmp_path: Path) -> None:
    study = study_of(tmp_path, holdout=None)

    assert "There is no verdict yet" in badge(study)
    assert tiles(study) == standing_html(study) == ""


def test_the_model_and_every_scored_baseline_stand_on_one_axis(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    assert study.holdout is not None

    chart = standing_chart(study, study.holdout)

    dots = [mark for mark in chart.marks if isinstance(mark, Dots)]
    assert chart.y.words[1:] == ("linear", "naive")  # the best one first; theta has no score on the holdout
    assert [(*mark.x, *mark.y) for mark in dots] == [(2.5, 0), (2.6, 1), (3.0, 2)]
    assert [(*mark.low, *mark.high) for mark in dots[:2]] == [(2.1, 2.9), (2.55, 2.65)]
    assert dots[1].color != dots[2].color
    assert chart.x.title == "MAE of sales, holdout (smaller is better)"


def test_the_tiles_have_score_skill_coverage_size_and_latency(tmp_path: Path) -> None:
    assert text_of(tiles(study_of(tmp_path))) == (
        "MAE of sales, holdout 2.500 ± 0.400 95% interval, smaller is better Skill against linear +3.8% error avoided, "
        "holdout Coverage of the 80% interval 82.6% holdout Parameters 1,000 2.00 ms per prediction, of the network"
    )


def test_a_wide_interval_is_written_out_and_ends_at_no_error(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    assert study.holdout is not None
    wide = dataclasses.replace(study, holdout=dataclasses.replace(study.holdout, score_interval=(-1.0, 6.0)))

    assert "2.500 95% interval 0.000 to 6.000, smaller is better" in text_of(tiles(wide))


def test_the_costs_are_those_of_all_members(tmp_path: Path) -> None:
    members = BlendMember(0.5, trial=0), BlendMember(0.3, trial=1), BlendMember(0.2, baseline="linear")

    assert "2,001 4.00 ms per prediction, of 2 networks" in text_of(tiles(study_of(tmp_path, blend=blend(*members))))


def test_skill_in_a_score_that_is_best_at_1_is_about_what_it_lacks(tmp_path: Path) -> None:
    store = make_label_store(tmp_path, [Made(values=(0.9,))])
    baselines = {"ridge": BaselineRecord(0.6, 0.8), "majority": BaselineRecord(0.4, 0.4)}
    holdout = HoldoutRecord(0, 0.9, {"accuracy": 0.9}, "It wins.", True)
    study = dataclasses.replace(store.record(), holdout=holdout, baselines=baselines)

    assert "Skill against ridge +50.0%" in text_of(tiles(study))
    assert score_title(study) == "accuracy"


def test_the_command_to_use_the_model_can_be_copied(tmp_path: Path) -> None:
    assert "python -m search predict studies/tiny.bundle --data new.csv" in use_html(study_of(tmp_path, bundle="x"))
    assert use_html(study_of(tmp_path)) == ""


def test_the_weights_of_the_members_are_drawn_in_the_colors_of_the_baselines(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    trials = {trial.number: trial for trial in study.trials}

    chart = members_chart(blend(BlendMember(0.75, trial=1), BlendMember(0.25, baseline="linear")), trials)

    boxes = [mark for mark in chart.marks if isinstance(mark, Boxes)]
    assert chart.y.words == ("trial 1", "linear")
    assert [(*box.right, box.color) for box in boxes] == [(0.75, "blue"), (0.25, "red")]
    assert trials[1].layers in boxes[0].texts[0]


def test_a_baseline_that_is_far_off_is_left_out_and_said_and_no_accuracy_is_above_1(tmp_path: Path) -> None:
    store = make_label_store(tmp_path, [Made(values=(0.98,))])
    scores = {"ridge": 0.97, "minirocket": 0.96, "nearest_neighbor": 0.95, "other": 0.96, "majority": 0.08}
    baselines = {name: BaselineRecord(score, score) for name, score in scores.items()}
    holdout = HoldoutRecord(0, 0.98, {"accuracy": 0.98}, "It wins.", True)
    study = dataclasses.replace(store.record(), holdout=holdout, baselines=baselines)

    low, high = standing_chart(study, holdout).x.span or (0, 0)

    assert 0.9 < low < 0.95
    assert 0.98 < high < 1.01
    assert "1 baseline lies below the plotted range." in standing_html(study)
