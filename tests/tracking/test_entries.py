"""What MLflow shows of a blend: its members with their weights, and the best trial alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.synthetic_study import make_study, make_trial

from search.study.blend_records import BlendMember, BlendRecord, SingleRecord
from search.study.records import BaselineRecord, HoldoutRecord, StudyRecord
from search.tracking.entries import standing_tags, study_outcome, study_tags


@pytest.fixture
def study() -> StudyRecord:
    members = (BlendMember(0.5, baseline="seasonal_naive"), BlendMember(0.3, trial=1), BlendMember(0.2, trial=0))
    return replace(
        make_study(make_trial(0), make_trial(1), make_trial(2), baselines={"seasonal_naive": BaselineRecord(3.0)}),
        holdout=HoldoutRecord(1, 2.5, {"mae": 2.5}, "The blend beats it.", beats_baselines=True, looks=2),
        blend=BlendRecord(members, 2.25, 2.5, SingleRecord(1, 2.4, 2.75)),
    )


def test_the_run_of_the_study_has_the_members_and_the_scores(study: StudyRecord) -> None:
    assert study_tags(study)["blend"] == "seasonal_naive 0.5, trial 1 0.3, trial 0 0.2"
    points = {point.key: (point.value, point.step) for point in study_outcome(study, time=0)}
    assert points["holdout_mae"] == (2.5, 2)
    assert points["blend.weight.seasonal_naive"] == (0.5, 2)
    assert points["blend.weight.trial_1"] == (0.3, 2)
    assert points["blend.score"] == (2.25, 2)
    assert points["single.holdout_mae"] == (2.75, 2)


def test_the_run_of_a_trial_has_its_weight_also_if_it_is_no_member(study: StudyRecord) -> None:
    tags = [standing_tags(study, trial, on_front=False) for trial in study.trials]
    assert [tag["blend_weight"] for tag in tags] == ["0.2", "0.3", "0"]


def test_a_study_without_a_blend_says_nothing_of_one(study: StudyRecord) -> None:
    plain = replace(study, blend=None)
    assert "blend" not in study_tags(plain)
    assert "blend_weight" not in standing_tags(plain, plain.trials[0], on_front=False)
    assert not [point for point in study_outcome(plain, time=0) if point.key.startswith(("blend", "single"))]
