"""A short campaign of damage; benchmarks/campaign.py runs a long one, of more kinds."""

from __future__ import annotations

import campaign
import pytest


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "count"), [("journals", 20), ("bundles", 20), ("inputs", 4), ("kills", 1)])
def test_a_study_survives(kind: str, count: int) -> None:
    attempts = list(campaign.campaign([kind], count, seed=7))
    assert len(attempts) >= count
    assert [attempt for attempt in attempts if attempt.problems] == []
