"""The end of a study in data: what is trained again, what the last job receives, and what it finds."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from lstmgru.specs import TrainSpec
from search.study.blend_records import Candidate
from search.study.out_of_fold import Outputs
from search.study.records import IntervalRecord
from search.tasks.data import Data, Model, Split

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lstmgru.evaluation.significance import Interval
    from lstmgru.training.training import Trained

_Network = TypeVar("_Network")
_Baseline = TypeVar("_Baseline")


@dataclass(frozen=True)
class EndData(Generic[Data, Split]):
    """What every job at the end of a study reads.

    Attributes:
        data: What the trials saw, and the holdout, too.
        holdout: The split that is scored.
    """

    data: Data
    holdout: Split


@dataclass(frozen=True)
class Recipe(Generic[Model]):
    """A trial that is trained again.

    Attributes:
        number: Its trial number.
        model: The architecture.
        train: Its training settings; ``max_epochs`` is what the refit takes at most.
        calibration: Of its intervals alone, as plain values; ``None``: it has none.
        curve: Score after each epoch of the refit, as measured in the trial: the mean over its folds or, where the last
            fold is repeated, the best score so far, whose weights are kept; empty if unknown.
    """

    number: int
    model: Model
    train: TrainSpec
    calibration: dict[str, Any] | None
    curve: tuple[float, ...] = ()

    def expected_score(self, epochs: int) -> float | None:
        """The score to expect of a training that was stopped after so many epochs; ``None`` if it is unknown."""
        return self.curve[min(epochs, len(self.curve)) - 1] if epochs and self.curve else None


@dataclass(frozen=True)
class Refitted:
    """A model that was trained again, on its way from one worker through the driver to another.

    Attributes:
        content: The pickled model, which the driver does not read.
        seconds: Wall time of the training.
        epochs: Number of trained epochs of a network.
        stopped: Whether the time of a network was up before it was done.
        outputs: Of a baseline for the holdout; ``None`` of a network, and of a baseline that was fitted to everything.
    """

    content: bytes
    seconds: float
    epochs: int = 0
    stopped: bool = False
    outputs: npt.NDArray[np.float32] | None = None

    @classmethod
    def of_network(cls, fitted: Trained[Any]) -> Self:
        """Pack the training of a network."""
        content = pickle.dumps(replace(fitted, outputs=None))
        return cls(content, fitted.seconds, len(fitted.epochs), fitted.stopped)

    @classmethod
    def of_baseline(cls, fitted: Any, outputs: npt.NDArray[np.float32] | None, seconds: float) -> Self:
        """Pack a fitted baseline."""
        return cls(pickle.dumps(fitted), seconds, outputs=outputs)

    def unpack(self) -> Any:
        """The training of a network, or the fitted baseline."""
        return pickle.loads(self.content)


@dataclass(frozen=True)
class FinalMember(Generic[Model]):
    """A member of the blend that is exported.

    Attributes:
        candidate: Number of its trial, or name of the baseline.
        weight: Its share; the weights of a blend sum to 1.
        score: Its mean score over the folds; ``None`` if unknown.
        outputs: Its kept outputs for the folds; ``None`` of a network that is exported alone.
        recipe: Of a network; ``None`` of a baseline.
        scored: The model trained on the data before the holdout.
        exported: The model trained on everything; ``None``: the scored one is exported.
    """

    candidate: Candidate
    weight: float
    score: float | None = None
    outputs: Outputs | None = None
    recipe: Recipe[Model] | None = None
    scored: Refitted | None = None
    exported: Refitted | None = None

    def unpack_scored(self) -> Any:
        """The model trained on the data before the holdout."""
        assert self.scored is not None  # others are no members any more
        return self.scored.unpack()

    def bundled(
        self,
        network: Callable[..., _Network],
        baseline: Callable[..., _Baseline],
        inputs: Callable[[Any], dict[str, Any]],
    ) -> _Network | _Baseline:
        """The member as a bundle holds it.

        Args:
            network: Makes a member of a trained network.
            baseline: Makes a member of a fitted baseline.
            inputs: What a network needs to read raw inputs, of its training, by argument of ``network``.
        """
        fitted = self.unpack_scored() if self.exported is None else self.exported.unpack()
        if self.recipe is None:
            return baseline(baseline=fitted, weight=self.weight, score=self.score)
        return network(
            network=fitted.network,
            model_spec=fitted.network.spec,
            train_spec=replace(self.recipe.train, max_epochs=max(1, len(fitted.epochs))),
            weight=self.weight,
            trial=self.recipe.number,
            score=self.score,
            **inputs(fitted),
        )


@dataclass(frozen=True)
class FinalJob(Generic[Data, Split, Model]):
    """Everything that the last job of a study needs.

    Attributes:
        data: What the trials saw, and the holdout, too.
        holdout: The split that is scored.
        members: Of the blend, the largest weight first.
        single: The best network alone, with its training before the holdout; ``None``: no network is known.
        baselines: Those that are scored, fitted to the data before the holdout, by name.
        baseline_calibrations: Of the intervals of the baselines, by name.
        without_networks: Why a model of baselines alone has no network: ``No network completed``.
        least: Score of the folds that the blend must reach to be exported; ``None``: any.
        bundle: Directory of the exported model.
        report: Directory of the tables of the holdout.
        gaps: How the bundle treats missing rows and cells.
        provenance: Origin of the model, for the bundle.
        rival: Directory of an earlier model that is scored on the holdout, too; ``None``: there is none.
        known_calibration: Of the intervals of the blend, as an earlier model of the same members has it, and its normal
            scores, each of which may be ``None``; ``None``: it is calibrated on the kept outputs of the folds.
        better_unscored: Baselines that are better on the folds than every one of ``baselines``, by name.
        late: Baselines that a longer time limit might score, by name.
    """

    data: Data
    holdout: Split
    members: tuple[FinalMember[Model], ...]
    single: FinalMember[Model] | None
    baselines: Mapping[str, Refitted]
    baseline_calibrations: dict[str, Any]
    without_networks: str
    least: float | None
    bundle: Path
    report: Path
    gaps: Any
    provenance: dict[str, Any]
    rival: Path | None = None
    known_calibration: tuple[dict[str, Any] | None, npt.NDArray[np.float32] | None] | None = None
    better_unscored: tuple[str, ...] = ()
    late: tuple[str, ...] = ()

    @property
    def alone(self) -> Recipe[Model] | None:
        """The network that is exported alone; ``None`` of a blend of several members, or of a baseline."""
        return self.members[0].recipe if len(self.members) == 1 else None

    @property
    def weights(self) -> list[float]:
        """Of the members."""
        return [member.weight for member in self.members]


@dataclass(frozen=True)
class HoldoutScores:
    """The blend, the best network alone, and the baselines on the holdout.

    Attributes:
        metrics: Every metric of the blend, by name.
        single: The study's metric of the best network alone; ``None``: there is none.
        baselines: The study's metric of every baseline, by name.
        difference: Interval of the difference between the errors of the blend and those of a baseline, given its name.
        own: Interval of the errors or of the score of the blend itself.
        squared: Whether both are intervals of squared errors, and the score is their root.
        blend: Its outputs, as backtests have them.
        outputs: What the task's tables hold.
        calibration: Of the intervals of the blend, as plain values; ``None``: it has none.
        intervals: Coverage of the blend's prediction intervals.
        details: What else the bundle keeps, by name.
    """

    metrics: dict[str, float]
    single: float | None
    baselines: dict[str, float]
    difference: Callable[[str], Interval]
    own: Callable[[], Interval]
    blend: Any
    outputs: Any
    squared: bool = False
    calibration: dict[str, Any] | None = None
    intervals: tuple[IntervalRecord, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rival:
    """An earlier model on the holdout.

    Attributes:
        score: The study's metric.
        difference: Interval of the difference between the errors of the new model and those of the earlier one.
    """

    score: float
    difference: Interval


@dataclass(frozen=True)
class FinalResult:
    """What the last job found.

    Attributes:
        metrics: Of the blend on the holdout, every metric by name.
        folds: The blend's score over the folds, or that of the trial of a network alone; ``None`` if it is unknown.
        single: The study's metric of the best network alone on the holdout; ``None``: there is none.
        baselines: The study's metric of every baseline on the holdout.
        verdict: One sentence.
        beats_baselines: Whether the whole interval of the difference is on the blend's side.
        intervals: What the blend's prediction intervals cover.
        score_interval: See :class:`~search.study.records.HoldoutRecord`.
        baseline_intervals: Likewise.
        notes: What else a user should know, a sentence each.
        rival: The earlier model; ``None``: there is none.
    """

    metrics: dict[str, float]
    folds: float | None
    single: float | None
    baselines: dict[str, float]
    verdict: str
    beats_baselines: bool
    intervals: tuple[IntervalRecord, ...]
    score_interval: tuple[float, float] | None = None
    baseline_intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    rival: Rival | None = None
