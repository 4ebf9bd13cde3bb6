"""A short campaign of damage; benchmarks/campaign.py runs a long one, of more kinds."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import campaign
import pytest
from hazards import cluster
from hazards.command import Attempt
from helpers.executors import NEEDS_RAY, skip_without_ray


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "count"), [("journals", 20), ("bundles", 20), ("inputs", 4), ("kills", 1)])
def test_a_study_survives(kind: str, count: int) -> None:
    attempts = list(campaign.campaign([kind], count, seed=7))
    assert len(attempts) >= count
    assert [attempt for attempt in attempts if attempt.problems] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@NEEDS_RAY
def test_a_study_survives_the_loss_of_actors_nodes_and_driver() -> None:
    skip_without_ray()
    attempts = list(campaign.campaign(["cluster"], 1, seed=7))
    assert len(attempts) >= 3  # a chain of faults of one study
    assert [attempt for attempt in attempts if attempt.problems] == []


def test_a_scenario_that_cannot_be_run_is_a_failed_attempt_and_the_campaign_goes_on(tmp_path: Path) -> None:
    def slow(*_: Any) -> list[Attempt]:
        raise RuntimeError("The node timed out\nduring startup")

    attempts = list(cluster._run(slow, "head", random.Random(0), tmp_path, []))

    assert [(attempt.case, attempt.problems) for attempt in attempts] == [
        ("head", ["the scenario could not be run: RuntimeError: The node timed out"])
    ]
