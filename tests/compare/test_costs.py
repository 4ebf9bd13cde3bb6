"""Costs of a candidate, measured in this process."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.comparisons import JobContext
from helpers.running_comparisons import LABEL_STUDIES, label_candidate_of, label_plan_of

from lstmgru.data.sequences.vocabulary import WordVectors
from search.compare.costs import measure
from search.tasks.sequences.plan import SequencePlan


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SequencePlan]:
    return {name: label_plan_of(tmp_path_factory.mktemp(name), text) for name, text in LABEL_STUDIES.items()}


@pytest.mark.parametrize("study", LABEL_STUDIES)
def test_costs_of_every_kind_of_data_are_measured(study: str, plans: dict[str, SequencePlan]) -> None:
    costs = measure(label_candidate_of(plans[study]), JobContext())

    assert min(costs.latency, costs.batch_latency) > 0
    assert costs.memory is None or costs.memory >= 0


def test_what_warms_a_process_up_is_the_smallest_network_of_the_architecture(plans: dict[str, SequencePlan]) -> None:
    candidate = label_candidate_of(plans["notes"])
    vectors = WordVectors(("walk",), np.ones((1, 4), np.float32))
    narrow = replace(candidate, data=replace(candidate.data, vectors=vectors)).smallest()

    assert narrow.model.architecture == "word(1) > gru(1) > max"
    assert narrow.data.vectors is None  # they are of another size
