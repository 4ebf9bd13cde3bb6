"""The selection of a blend among planted trials: which are candidates, and when the best trial alone is exported."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.drivers import Notes, in_process, plan_of
from helpers.running_comparisons import label_plan_of
from optuna.storages import InMemoryStorage
from optuna.trial import create_trial

from search.run.selection import MOST_CANDIDATES, BlendSelection
from search.run.single_job import SingleJob
from search.study.blend_records import Candidate
from search.study.out_of_fold import Outputs, Predictions
from search.study.store import StudyStore
from search.tasks.plan import Plan

COUNT = MOST_CANDIDATES + 5


class _Watched(Predictions):
    """Knows the arrays that were read."""

    def __init__(self, folder: Path, uid: str) -> None:
        super().__init__(folder, uid)
        self.arrays: list[weakref.ref[np.ndarray]] = []

    def read(self, candidate: Candidate) -> Outputs | None:
        """Noted."""
        found = super().read(candidate)
        self.arrays += [weakref.ref(values) for values in found or ()]
        return found


def selected(
    plan: Plan,
    folder: Path,
    trials: list[tuple[float, int]],
    outputs: Mapping[int, Outputs],
    notes: Notes | None = None,
) -> tuple[dict[Candidate, float], set[Candidate]]:
    """The weights of what is exported, and the candidates.

    Args:
        plan: Of the study.
        folder: Of the kept outputs.
        trials: Score and number of parameters of each.
        outputs: Those that are kept, by number of the trial.
        notes: Hears what is said.
    """
    attributes = {"config": plan.config.to_dict(), "metric": plan.metric, "uid": "planted"}
    store = StudyStore.create(InMemoryStorage(), plan.name, direction=plan.direction, attributes=attributes)
    for score, size in trials:
        result = {"n_parameters": size, "latency": 0.001, "train_seconds": 1.0}
        store.study.add_trial(create_trial(value=score, user_attrs={"result": result}))
    predictions = _Watched(folder / "predictions", "planted")
    for number, values in outputs.items():
        predictions.write(number, values)
    notes = notes or Notes()
    with in_process() as executor:
        selection = BlendSelection(plan, store, predictions, SingleJob(executor, notes, lambda: False), notes)
        chosen = selection.choose()
    assert chosen is not None
    assert predictions.arrays
    assert not any(each() is not None for each in predictions.arrays)  # as large as the data, and not needed any more
    return chosen.weights, set(selection.candidates)


def off_by(plan: Any, error: float) -> Outputs:
    """Forecasts that are too large by so much."""
    return tuple((each.target + error).astype(np.float32) for each in plan.search_data().kept_evaluations)


def test_the_best_trials_are_candidates(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    errors = np.random.default_rng(0).permutation(np.arange(1.0, COUNT + 1))
    outputs = {number: off_by(plan, error) for number, error in enumerate(errors)}

    weights, candidates = selected(plan, tmp_path, [(error, 100) for error in errors], outputs)

    assert candidates == set(np.argsort(errors)[:MOST_CANDIDATES])
    assert weights == {int(np.argmin(errors)): 1.0}


def test_trials_above_a_bound_take_no_place_among_the_candidates(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "search.bounds=[n_parameters <= 100]")
    trials = [(float(number + 1), 101 if number < MOST_CANDIDATES else 100) for number in range(COUNT)]
    outputs = {number: off_by(plan, score) for number, (score, _) in enumerate(trials)}

    weights, candidates = selected(plan, tmp_path, trials, outputs)

    assert candidates == set(range(MOST_CANDIDATES, COUNT))
    assert weights == {MOST_CANDIDATES: 1.0}


def test_of_equal_candidates_the_smallest_network_is_taken(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    sizes = [300, 100, 200]
    weights, _ = selected(plan, tmp_path, [(2.0, size) for size in sizes], {n: off_by(plan, 2.0) for n in range(3)})
    assert weights == {1: 1.0}


@pytest.mark.parametrize(("best", "exported"), [(0.5, {0}), (1.5, {1, 2})])
def test_a_better_trial_whose_forecasts_were_not_kept_is_exported_alone(
    tmp_path: Path, best: float, exported: set[int]
) -> None:
    """The errors of the other two are 3 and -1, whose best blend is off by less than 0.02."""
    plan, notes = plan_of(tmp_path), Notes()
    outputs = {1: off_by(plan, 3.0), 2: off_by(plan, -1.0)}
    trials = [(best - 0.5, 1), (3.0, 1), (1.0, 1)]

    weights, _ = selected(plan, tmp_path, trials, outputs, notes)

    assert set(weights) == exported
    assert notes.notes == ["no blend can hold trial 0, whose predictions for the folds were not kept"]


@pytest.mark.parametrize(("best", "exported"), [(0.9, 0), (0.2, 1)])
def test_of_accuracies_the_larger_one_is_better(tmp_path: Path, best: float, exported: int) -> None:
    """A trial whose outputs were not kept, and one that gives every sequence the first of three classes."""
    plan: Any = label_plan_of(tmp_path)
    first = [np.eye(3, dtype=np.float32)[np.zeros(len(cases), int)] for cases in plan.search_data().kept]
    weights, _ = selected(plan, tmp_path, [(best, 1), (0.33, 1)], {1: tuple(first)})
    assert weights == {exported: 1.0}
