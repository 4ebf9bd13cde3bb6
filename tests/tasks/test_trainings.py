"""What is trained on what: the fits of trials, refits and retrained candidates, and the baselines, against numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.combinations import each_row
from helpers.comparisons import JobContext
from helpers.drivers import NUMBERS, plan_of
from helpers.running_comparisons import WAVES, forecast_candidate_of, label_candidate_of, label_plan_of

from lstmgru.evaluation.time_limit import UNLIMITED
from search.run.trial import FinishedFold, Resumption, TrialReport, run_trial
from search.study.records import EpochRecord
from search.tasks import task_of
from search.tasks.baselines import score_baselines
from search.tasks.data import BaselineResult
from search.tasks.epochs import scored_epochs
from search.tasks.final_job import EndData, Recipe, Refitted
from search.tasks.final_steps import EVERYTHING, RefitCandidate, refit_baseline, refit_network, retrain

EPOCHS, SEED = 6, 6
TWO_FOLDS = NUMBERS.replace("folds: 1", "folds: 3").replace("max_epochs: 1", f"max_epochs: {EPOCHS}, patience: null")
STUDIES = ("forecasts", "labels")


def plan_named(study: str, folder: Path) -> Any:
    return plan_of(folder, text=TWO_FOLDS) if study == "forecasts" else label_plan_of(folder, WAVES)


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {study: plan_named(study, tmp_path_factory.mktemp(study)) for study in STUDIES}


def candidate_of(plan: Any, seed: int = SEED) -> RefitCandidate:
    """A network that learns so fast that its best epochs are not its last ones."""
    make: Any = forecast_candidate_of if task_of(plan).words.predict == "forecast" else label_candidate_of
    candidate: RefitCandidate = make(plan)
    train = replace(candidate.train, max_epochs=EPOCHS, learning_rate=0.2, patience=None, seed=seed)
    return replace(candidate, train=train, model=replace(candidate.model, normalization="fold"))


class Watched:
    """A task that notes its fits.

    Attributes:
        fits: Rows or sequences that were trained on, whether epochs were scored, their number, and the seed.
        networks: The trained networks.
    """

    def __init__(self, task: Any) -> None:
        self._task = task
        self.fits: list[tuple[list[Any], bool, int, int]] = []
        self.networks: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def fit(self, data: Any, split: Any, model: Any, train: Any, *arguments: Any, **options: Any) -> Any:
        """Fit and note it."""
        fitted = self._task.fit(data, split, model, train, *arguments, **options)
        self.fits.append((split.train.tolist(), fitted.outputs is not None, len(fitted.epochs), train.seed))
        self.networks.append(fitted)
        return fitted

    def refit(self, *arguments: Any, **options: Any) -> Any:
        """With the fit of this class."""
        return type(self._task).refit(self, *arguments, **options)  # type: ignore[arg-type]


def parts(plan: Any) -> dict[str, list[Any]]:
    """What is trained on in each part, worked out from the table: 200 days, of which 20 are held back, or sequences."""
    if task_of(plan).words.predict == "forecast":
        ends = {"fold 1": 120, "fold 2": 140, "fold 3": 160, "holdout": 180, EVERYTHING: 200}
        return {name: [[0, end]] for name, end in ends.items()}
    scored = {split.name: set(split.evaluation.tolist()) for split in (*plan.splits.folds, plan.holdout)}
    everyone = set(range(60))
    folds = {name: sorted(everyone - its - scored["holdout"]) for name, its in scored.items()}
    return {**folds, "holdout": sorted(everyone - scored["holdout"]), EVERYTHING: sorted(everyone)}


def test_the_parts_of_sequences_are_disjoint_and_hold_every_class_alike(plans: dict[str, Any]) -> None:
    plan = plans["labels"]
    scored = [split.evaluation for split in (*plan.splits.folds, plan.holdout)]
    assert sorted(np.concatenate(scored).tolist()) == list(range(60))
    assert [np.bincount(plan.sequences.labels[each]).tolist() for each in scored] == [[8] * 3, [8] * 3, [4] * 3]


def scores_of_others(curves: list[list[float]], best_epochs: Sequence[int]) -> list[float]:
    """The score of each fold after the epoch that is the median of the best ones of the others."""
    others = [[epoch for fold, epoch in enumerate(best_epochs) if fold != each] for each in range(len(curves))]
    return [curve[round(float(np.median(epochs))) - 1] for curve, epochs in zip(curves, others, strict=True)]


@pytest.mark.parametrize("study", STUDIES)
def test_a_compared_candidate_is_refitted_before_the_holdout_without_a_look_at_it(
    study: str, plans: dict[str, Any]
) -> None:
    plan = plans[study]
    candidate, rows = candidate_of(plan, seed=0), parts(plan)
    folds = [fold.name for fold in plan.splits.folds]
    task: Any = Watched(candidate.task)

    found = retrain(replace(candidate, task=task), SEED, JobContext())

    assert found is not None
    epochs = round(float(np.median(found.best_epochs)))
    if study == "forecasts":
        assert epochs < EPOCHS
    trained = [(rows[name], True, EPOCHS, SEED) for name in folds]
    assert task.fits == [*trained, (rows["holdout"], False, epochs, SEED)]
    assert list(found.best_epochs) == [each.best_epoch for each in task.networks[:-1]]
    curves = [[epoch.score for epoch in each.epochs] for each in task.networks[:-1]]
    assert found.fold_scores == tuple(scores_of_others(curves, found.best_epochs))

    last: Any = Watched(candidate.task)
    retrain(replace(candidate, task=last, refit="last_fold"), SEED, JobContext())
    assert last.fits == trained


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize(
    ("part", "rows", "scored"), [("all", "holdout", False), ("last_fold", "", True), (EVERYTHING, EVERYTHING, False)]
)
def test_a_member_is_trained_again_on_its_part_for_its_epochs(
    study: str, part: str, rows: str, scored: bool, plans: dict[str, Any]
) -> None:
    plan = plans[study]
    candidate = candidate_of(plan)
    task: Any = Watched(candidate.task)
    train = replace(candidate.train, max_epochs=2)
    recipe: Recipe[Any] = Recipe(3, candidate.model, train, None)

    found = refit_network(task, EndData(plan.whole_data(), plan.holdout), recipe, part, np.inf, JobContext())

    learned = parts(plan)[rows or plan.splits.folds[-1].name]
    assert task.fits == [(learned, scored, 2, SEED)]
    fitted = found.unpack()
    if study == "forecasts":
        values = plan.panel.values[: learned[0][1], 0].astype(np.float64)
        assert fitted.scaler.mean[0, 0] == pytest.approx(values.mean(), rel=1e-6)
        assert fitted.scaler.scale[0, 0] == pytest.approx(values.std(), rel=1e-5)
    else:
        steps = np.concatenate(
            [plan.sequences.values[slice(*plan.sequences.offsets[each : each + 2])] for each in learned]
        )
        assert fitted.encoding.scaler.mean == pytest.approx(steps.mean(axis=0), rel=1e-4, abs=1e-5)
    assert (found.epochs, found.stopped) == (2, False)


@pytest.mark.parametrize("part", ["all", EVERYTHING])
def test_a_training_whose_time_is_up_counts_and_one_that_is_interrupted_does_not(
    part: str, plans: dict[str, Any]
) -> None:
    candidate, end = (
        candidate_of(plans["forecasts"]),
        EndData(plans["forecasts"].whole_data(), plans["forecasts"].holdout),
    )
    recipe: Recipe[Any] = Recipe(3, candidate.model, candidate.train, None)
    found = refit_network(candidate.task, end, recipe, part, 0.0, JobContext())
    assert found.stopped
    assert found.epochs < EPOCHS
    with pytest.raises(InterruptedError, match="the refit was interrupted"):
        refit_network(candidate.task, end, recipe, part, np.inf, JobContext(1))


# --- trials -----------------------------------------------------------------------------------------------------------


class Reports(JobContext):
    """Keeps the reports of a trial."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[TrialReport] = []

    def report(self, message: Any) -> None:
        """Kept, if it is an epoch."""
        if isinstance(message, TrialReport):
            self.kept.append(message)


@pytest.mark.parametrize("study", STUDIES)
def test_a_fold_of_a_trial_is_scored_after_the_epoch_that_the_others_choose(study: str, plans: dict[str, Any]) -> None:
    """So are its outputs and intervals; the reports, by which trials are pruned, have the best epochs so far."""
    plan = plans[study]
    candidate, context = candidate_of(plan), Reports()
    best = max if plan.direction == "maximize" else min

    found = run_trial(task_of(plan), plan.search_data(), candidate.model, candidate.train, Resumption(), context)

    curves = [
        [each.epoch.value for each in context.kept if each.epoch.fold == fold + 1] for fold in range(plan.n_folds)
    ]
    assert [len(curve) for curve in curves] == [EPOCHS] * plan.n_folds
    assert found.fold_scores == tuple(scores_of_others(curves, found.best_epochs))
    assert found.score == pytest.approx(np.mean(found.fold_scores))
    bests = [best(curve) for curve in curves]
    assert [curve[epoch - 1] for curve, epoch in zip(curves, found.best_epochs, strict=True)] == bests
    if study == "forecasts":  # of equal accuracies, the log loss decides
        assert found.best_epochs == tuple(1 + int(np.argmin(curve)) for curve in curves)
        assert list(found.fold_scores) != bests
    for number, each in enumerate(context.kept):
        fold, epoch = divmod(number, EPOCHS)
        so_far = [*bests[:fold], best(curves[fold][: epoch + 1])]
        assert (each.step, each.value) == (number + 1, pytest.approx(np.mean(so_far)))
    assert found.outputs is not None
    if study == "forecasts":
        ends = [(120, 140), (140, 160), (160, 180)]
        series = plan.panel.values[:, 0].astype(np.float64)
        truth = [np.array([series[cut : cut + 3] for cut in range(start, end - 2)])[..., None] for start, end in ends]
        errors = [np.abs(outputs - actual) for outputs, actual in zip(found.outputs, truth, strict=True)]
        assert found.fold_scores == pytest.approx([each.mean() for each in errors], rel=1e-5)
        assert found.calibration is not None
        ranked = np.sort(np.concatenate(errors), axis=0)
        ranks = [int(np.ceil((len(ranked) + 1) * level)) - 1 for level in (0.8, 0.95)]
        assert found.calibration["offsets"] == pytest.approx(ranked[ranks].ravel(), rel=1e-4)


@each_row(
    ("best_epochs", "epochs"),
    [([5], [5]), ([3, 8], [8, 3]), ([2, 4, 9], [6, 6, 3]), ([1, 1, 7], [4, 4, 1]), ([5, 6, 7, 30], [7, 7, 6, 6])],
)
def test_every_fold_is_scored_after_the_median_of_the_best_epochs_of_the_others(
    best_epochs: list[int], epochs: list[int]
) -> None:
    assert scored_epochs(best_epochs) == epochs


def test_the_nearest_epoch_that_is_kept_stands_for_one_that_is_not() -> None:
    """A fold may have fewer epochs than the others choose, or too large outputs for each of its epochs."""
    reports = [TrialReport(each, 0.0, EpochRecord(1, each, 0.0, each / 10, 0.0)) for each in range(1, 8)]
    fold = FinishedFold(1, 0.1, 5, 1.0, 1.0, tuple(reports), (1, 5, 7), np.arange(3.0, dtype=np.float32)[:, None])
    found = {epoch: fold.after(epoch) for epoch in (1, 2, 3, 4, 6, 7, 30)}
    assert {epoch: score for epoch, (score, _) in found.items()} == {
        1: 0.1, 2: 0.1, 3: 0.1, 4: 0.5, 6: 0.5, 7: 0.7, 30: 0.7,
    }  # fmt: skip
    assert {epoch: outputs.tolist() for epoch, (_, outputs) in found.items()} == {
        1: [0], 2: [0], 3: [0], 4: [1], 6: [1], 7: [2], 30: [2],
    }  # fmt: skip


# --- baselines --------------------------------------------------------------------------------------------------------


def scored(plan: Any, *names: str) -> dict[str, BaselineResult]:
    found: Any = score_baselines(plan.search_data(), names, 60.0, JobContext())
    return found  # type: ignore[no-any-return]  # none is too slow


def refitted(plan: Any, name: str, part: str = "all") -> Refitted:
    end = EndData(plan.whole_data(), plan.holdout)
    found = refit_baseline(task_of(plan), end, name, part, 60.0, JobContext())
    assert isinstance(found, Refitted)
    return found


def test_baselines_of_forecasts_are_scored_on_every_fold_as_by_hand(plans: dict[str, Any]) -> None:
    plan = plans["forecasts"]
    series = plan.panel.values[:, 0].astype(np.float64)
    cutoffs = [range(start, start + 18) for start in (120, 140, 160)]
    truth = [np.array([series[cut : cut + 3] for cut in cuts]) for cuts in cutoffs]
    by_hand = {
        "naive": [np.array([[series[cut - 1]] * 3 for cut in cuts]) for cuts in cutoffs],
        "seasonal_naive": [np.array([series[cut - 7 : cut - 4] for cut in cuts]) for cuts in cutoffs],
    }
    for name, found in scored(plan, *by_hand).items():
        folds = [np.abs(values - actual).mean() for values, actual in zip(by_hand[name], truth, strict=True)]
        assert found.score == pytest.approx(np.mean(folds), rel=1e-5)
        assert found.outputs is not None
        np.testing.assert_allclose([each[..., 0] for each in found.outputs], by_hand[name], rtol=1e-6)
        outputs = refitted(plan, name).outputs
        assert outputs is not None
        cuts = np.arange(180, 198)
        last = series[cuts - 1][:, None].repeat(3, axis=1)
        expected = last if name == "naive" else series[cuts[:, None] + np.arange(-7, -4)]
        np.testing.assert_allclose(outputs[..., 0], expected, rtol=1e-6)


def changed(plan: Any, first: int) -> Any:
    """The plan with other values from a row on."""
    values = plan.panel.values.copy()
    values[first:] = values[first:][::-1] * 1.5
    return replace(plan, panel=replace(plan.panel, values=values))


def coefficients(found: Refitted) -> list[Any]:
    arrays: list[Any] = found.unpack().state()[1]["coefficients"].tolist()
    return arrays


def test_a_regression_learns_from_all_rows_before_what_it_is_scored_on_and_from_no_others(
    plans: dict[str, Any],
) -> None:
    plan = plans["forecasts"]
    whole, everything = refitted(plan, "linear"), refitted(plan, "linear", EVERYTHING)
    for first, part, same in [
        (180, "all", True),  # the holdout
        (161, "all", False),  # what the last fold scored
        (180, EVERYTHING, False),
    ]:
        found = refitted(changed(plan, first), "linear", part)
        assert (coefficients(found) == coefficients(whole if part == "all" else everything)) is same
    assert everything.outputs is None
    (of_folds,) = scored(plan, "linear").values()
    for fold, start in enumerate((120, 140, 160)):
        (other,) = scored(changed(plan, start), "linear").values()
        assert of_folds.outputs is not None
        assert other.outputs is not None
        np.testing.assert_array_equal(other.outputs[fold][0], of_folds.outputs[fold][0])  # it reads rows before them
        assert not np.array_equal(other.outputs[fold][-1], of_folds.outputs[fold][-1])


def test_baselines_of_labels_learn_from_the_training_parts(plans: dict[str, Any]) -> None:
    """Labels that are drawn anew have other frequencies in every part."""
    plan = plans["labels"]
    labels = np.random.default_rng(0).choice(3, 60, p=(0.6, 0.3, 0.1))
    plan = replace(plan, sequences=replace(plan.sequences, labels=labels))
    rows = parts(plan)

    def shares(name: str) -> np.ndarray:
        return np.bincount(labels[rows[name]], minlength=3) / len(rows[name])

    (found,) = scored(plan, "majority").values()
    assert found.outputs is not None
    for fold, outputs in zip(plan.splits.folds, found.outputs, strict=True):
        np.testing.assert_allclose(outputs, np.tile(shares(fold.name), (len(fold.evaluation), 1)), rtol=1e-6)
    right = [np.mean(labels[fold.evaluation] == shares(fold.name).argmax()) for fold in plan.splits.folds]
    assert found.score == pytest.approx(np.mean(right))
    assert len(set(right)) > 1
    np.testing.assert_allclose(refitted(plan, "majority").outputs, np.tile(shares("holdout"), (12, 1)), rtol=1e-6)
    for part, name in {"all": "holdout", EVERYTHING: EVERYTHING}.items():
        np.testing.assert_allclose(refitted(plan, "majority", part).unpack().outputs, shares(name), rtol=1e-6)
        known = refitted(plan, "nearest_neighbor", part).unpack().labels.argmax(axis=1)
        assert known.tolist() == labels[rows[name]].tolist()


def test_compared_baselines_learn_from_everything_before_the_holdout(plans: dict[str, Any]) -> None:
    forecasts, plan = plans["forecasts"], plans["labels"]
    labels, (first, second) = np.arange(60) % 3, [fold.evaluation for fold in plan.splits.folds]
    labels[first], labels[second] = [0] * 13 + [1] * 11, 1  # the second fold trains on the first part: mostly zeros
    plan = replace(plan, sequences=replace(plan.sequences, labels=labels))
    found = task_of(plan).score_compared_baseline(plan.whole_data(), plan.holdout, "majority", None, UNLIMITED)
    assert found.scores["recall"] == (0.0, 1.0, 0.0)
    assert found.scores["holdout"] == pytest.approx(np.mean(labels[plan.holdout.evaluation] == 1))

    def linear(plan: Any) -> float:
        task = task_of(plan)
        scores = task.score_compared_baseline(plan.whole_data(), plan.holdout, "linear", None, UNLIMITED).scores
        return float(scores["holdout"])

    values = forecasts.panel.values.copy()
    values[150:165] += 3
    assert linear(forecasts) != linear(replace(forecasts, panel=replace(forecasts.panel, values=values)))
    outputs = refitted(forecasts, "linear").outputs
    assert outputs is not None
    truth = np.array([forecasts.panel.values[cut : cut + 3, :1] for cut in range(180, 198)])
    assert linear(forecasts) == pytest.approx(np.abs(outputs - truth).mean(), rel=1e-5)
