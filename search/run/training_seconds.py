"""Seconds that trainings are expected to take, from those that a study has measured."""

from __future__ import annotations

import math
import statistics
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from search.study.screening import rungs
from search.tasks import task_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from lstmgru.specs import RecurrentSpec
    from search.study.records import EpochRecord, TrialRecord
    from search.study.store import StudyStore
    from search.tasks.plan import Plan

BATCH_WORK, STEP_WORK = 1.5e7, 1e5
"""What a batch, and a recurrent step of a layer, cost beside their arithmetic, in multiplications; measured."""
_TRAINING = 3
"""Multiplications of a training step over those of a forward pass."""
_USUAL_NETWORKS = 4
"""Networks that a blend usually has."""
USUAL_SHARE = 0.5
"""Share of the most epochs that a trial is expected to take before any is complete: most stop early."""


def training_work(model: RecurrentSpec, batch_size: int) -> float:
    """The relative cost of an epoch: multiplications for one example, with a share of what a batch costs.

    Args:
        model: The architecture.
        batch_size: Examples of a batch.
    """
    return (BATCH_WORK + STEP_WORK * model.n_layer_steps) / batch_size + _TRAINING * model.multiplications


def refit_seconds(curve: Sequence[EpochRecord], growth: float, *, larger_is_better: bool) -> float:
    """Expected seconds of a refit: as many epochs as the folds needed, each as long as one of the last fold.

    Args:
        curve: Of the trial.
        growth: Examples of an epoch of the refit over those of an epoch of the last fold.
        larger_is_better: Whether larger scores are.
    """
    folds = [list(epochs) for _, epochs in groupby(curve, key=lambda epoch: epoch.fold)]
    if not folds:
        return 0.0
    best = max if larger_is_better else min
    epochs = statistics.median(best(fold, key=lambda epoch: epoch.value).epoch for fold in folds)
    before = folds[-2][-1].seconds if len(folds) > 1 else 0.0
    return growth * epochs * (folds[-1][-1].seconds - before) / len(folds[-1])


class RefitSeconds(NamedTuple):
    """Expected seconds of the refits at the end of a study.

    Attributes:
        scored: On the data before the holdout, those of baselines included.
        exported: On everything.
    """

    scored: list[float]
    exported: list[float]


class Estimates:
    """What trials, and the refits of those that would be exported now, are expected to take.

    The seconds of an epoch are proportional to :func:`training_work`, with the median rate of the trials so far.

    Args:
        plan: Of the study.
        store: What earlier runs have measured.
    """

    def __init__(self, plan: Plan, store: StudyStore) -> None:
        self._plan, self._store = plan, store
        self._larger_is_better = plan.direction == "maximize"
        self._rates: dict[int, float] = {}
        self._epochs: list[int] = []
        self._refits: dict[int, tuple[float, list[float]]] = {}
        """By complete trial within the bounds: its rank, and the seconds of its refits."""
        self._growths = growths(plan)
        screened = rungs(plan.max_epochs, plan.n_folds) if plan.config.search.pruner == "screening" else ()
        self._first = screened[0].epoch if screened else None
        for trial in store.record().trials:
            self.add(trial)

    def add(self, trial: TrialRecord) -> None:
        """Add a finished trial."""
        from optuna.trial import FixedTrial

        if not trial.curve:
            return
        model, settings = self._plan.space.suggest(FixedTrial(trial.params))
        self.observe(trial.number, training_work(model, settings.batch_size), trial.curve)
        if trial.state != "COMPLETE" or trial.value is None:
            return
        self._epochs.append(len(trial.curve))
        if not self._store.goal.broken(trial.measures):
            seconds = [self._refit(trial.curve, growth) for growth in self._growths]
            self._refits[trial.number] = (-trial.value if self._larger_is_better else trial.value, seconds)

    def observe(self, number: int, work: float, curve: Sequence[EpochRecord]) -> None:
        """Take the epochs of a trial into account.

        Args:
            number: Of the trial.
            work: Of its training, see :func:`training_work`.
            curve: Its epochs so far, at least one.
        """
        self._rates[number] = curve[-1].seconds / len(curve) / work

    def first_rung(self, work: float) -> float:
        """Seconds until a trial is compared for the first time, or is over; 0 if nothing was measured yet."""
        return self.whole(work) if self._first is None else self._first * self._epoch(work)

    def whole(self, work: float) -> float:
        """Seconds of a whole trial; 0 if nothing was measured yet."""
        most = USUAL_SHARE * self._plan.max_epochs * self._plan.n_folds
        return (statistics.mean(self._epochs) if self._epochs else most) * self._epoch(work)

    @property
    def onnx_networks(self) -> int:
        """Networks that would be exported to ONNX now."""
        return min(len(self._refits), _USUAL_NETWORKS, self._plan.config.search.most_members or 1)

    def trainings(self, running: Iterable[Sequence[EpochRecord]]) -> RefitSeconds:
        """Seconds of the refits that would follow now.

        Args:
            running: The curves of running trials. If no trial is complete, the longest of them counts that may be
                exported: one in its last fold or, without a blend, any, as then a trial that was stopped is exported.
        """
        most = self._plan.config.search.most_members
        best = sorted(self._refits.values())[: min(_USUAL_NETWORKS, most or 1)]
        scored = [refits[0] for _, refits in best]
        if not scored:
            late = [curve for curve in running if curve and (most is None or curve[-1].fold == self._plan.n_folds)]
            scored = [max((self._refit(curve, self._growths[0]) for curve in late), default=0.0)]
        scored += [
            self._growths[0] * seconds / self._plan.n_folds
            for seconds in self._store.get("baseline_seconds", {}).values()
        ]
        return RefitSeconds(scored, [seconds for _, refits in best for seconds in refits[1:]])

    def _refit(self, curve: Sequence[EpochRecord], growth: float) -> float:
        return refit_seconds(curve, growth, larger_is_better=self._larger_is_better)

    def _epoch(self, work: float) -> float:
        return work * statistics.median(self._rates.values()) if self._rates else 0.0


def growths(plan: Plan) -> list[float]:
    """Examples of an epoch before the holdout and, if the exported model is trained on it, of everything, over those
    of the last fold."""
    data: Any = plan.search_data()
    config, last, most = plan.config, data.folds[-1].n_train, plan.most_examples or math.inf
    if config.training.refit == "last_fold":
        return [1.0]
    parts: list[Any] = [plan.holdout]
    if config.export.train_on == "everything":
        parts.append(task_of(plan).everything(data, plan.holdout))
    return [min(part.n_train, most) / max(1, min(last, most)) for part in parts]
