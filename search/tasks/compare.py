"""What a comparison of families asks of a task, and the words and measures in which a task answers."""

from __future__ import annotations

import statistics
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from lstmgru.evaluation.metrics import find_metric
from search.study.json_keys import key

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstmgru.evaluation.significance import Interval
    from search.study.records import TrialRecord
    from search.tasks.plan import Plan


@dataclass(frozen=True)
class Terms:
    """Words of a task, which follow whether larger or smaller scores are better.

    Attributes:
        metric: Name of the metric.
        cases: What is scored one by one, in the plural: ``windows`` of forecasts, which are compared by their errors;
            ``sequences`` or ``texts``, which are compared by the metric.
        targets: What is predicted.
    """

    metric: str
    cases: str
    targets: tuple[str, ...] = ()

    @property
    def larger_is_better(self) -> bool:
        """Whether larger scores are better."""
        return find_metric(self.metric).larger_is_better

    @property
    def name(self) -> str:
        """The metric within a sentence."""
        return find_metric(self.metric).label

    @property
    def title(self) -> str:
        """The metric at the beginning of a sentence."""
        return self.name[0].upper() + self.name[1:]

    @property
    def case(self) -> str:
        """One of the cases."""
        return self.cases.removesuffix("s")

    @property
    def units(self) -> str:
        """What the tests of differences need enough of."""
        return "cutoffs" if self._of_errors else self.cases

    @property
    def output(self) -> str:
        """What a network returns for a case."""
        return "forecast" if self._of_errors else "prediction"

    @property
    def better(self) -> str:
        """What a better family has: ``lower errors``, ``a higher accuracy``."""
        return self._what("higher" if self.larger_is_better else "lower")

    @property
    def worse(self) -> str:
        """What a worse family has: ``higher errors``."""
        return self._what("lower" if self.larger_is_better else "higher")

    @property
    def better_than(self) -> str:
        """``its accuracy on the holdout is higher than that of``, followed by the names of the worse families."""
        if self._of_errors:
            return "its errors on the holdout are lower than those of"
        return f"its {self.name} on the holdout is {'higher' if self.larger_is_better else 'lower'} than that of"

    @property
    def length_unit(self) -> str:
        """Unit of the length of a case."""
        return "characters" if self.cases == "texts" else "steps"

    @property
    def compared(self) -> str:
        """The value whose difference is tested: ``error``, or the metric."""
        return "error" if self._of_errors else self.name

    @property
    def test(self) -> str:
        """How a family is compared with the best one on the holdout, without a period at the end."""
        if self._of_errors:
            squared = " squared" if find_metric(self.metric).root else ""
            return (
                f"Errors{squared} on the holdout minus those of the best family, window by window, averaged "
                "over the seeds; above 0 is worse; paired test over the cutoffs that allows for autocorrelation"
            )
        return (
            f"{self.title} on the holdout minus that of the best family, averaged over the seeds; "
            f"{'below' if self.larger_is_better else 'above'} 0 is worse; paired bootstrap over {self.cases}, or over "
            "groups if there are any"
        )

    @property
    def timed(self) -> str:
        """The cases of a timed batch: ``64 windows``; sequences and texts have their maximum length."""
        return f"64 {self.cases}" + ("" if self._of_errors else " of the maximum length")

    @property
    def _of_errors(self) -> bool:
        """Forecasts are compared by the errors of windows, as not every metric is a mean over windows."""
        return self.cases == "windows"

    def _what(self, how: str) -> str:
        return f"{how} errors" if self._of_errors else f"a {how} {self.name}"


@dataclass(frozen=True)
class ContextScore:
    """Complete trials of a family with about the same context length."""

    shortest: Annotated[int, key("Shortest context.", unit="steps")]
    longest: Annotated[
        int,
        key(
            "Longest context. Equal to `shortest`, unless there are more than six different lengths, which are grouped "
            "into thirds.",
            unit="steps",
        ),
    ]
    trials: Annotated[int, key("Number of trials.")]
    median: Annotated[float, key("Median of their scores on the folds.", unit="metric")]


@dataclass(frozen=True)
class LengthScore:
    """Sequences or texts of the holdout with about the same length."""

    shortest: Annotated[int, key("Shortest of them.", unit="steps; characters of texts")]
    longest: Annotated[int, key("Longest of them.", unit="steps; characters of texts")]
    cases: Annotated[int, key("Number of sequences or texts.")]
    score: Annotated[float, key("Score on them, mean over the seeds.", unit="metric")]


@dataclass(frozen=True)
class ClassScore:
    """A class on the holdout."""

    name: Annotated[str, key("Name of the class.")]
    support: Annotated[int, key("Number of its labels.")]
    recall: Annotated[float, key("Share of them that is predicted correctly, mean over the seeds.", unit="share")]
    f1: Annotated[float, key("Harmonic mean of precision and recall, mean over the seeds.", unit="share")]


@dataclass(frozen=True)
class BaselineScores:
    """A baseline on the holdout, fitted to everything before it.

    Attributes:
        scores: Its scores, as those of a seed on the holdout.
        n_parameters: Numbers that it learned or stores.
        fit_seconds: Seconds of the fit.
        latency: Seconds for the output of one window or sequence.
        batch_latency: Seconds for the outputs of a batch of 64.
    """

    scores: dict[str, Any]
    n_parameters: int
    fit_seconds: float
    latency: float
    batch_latency: float


BATCH = 64
"""Batch size for which latency is measured in addition to 1."""
_FEWEST_PASSES, _MOST_PASSES, _ENOUGH_SECONDS = 5, 200, 0.3


def median_seconds(run: Callable[[], Any]) -> float:
    """Seconds of a call: the median of several after a warm-up, or of a long one the time of the first."""
    start = time.perf_counter()
    run()
    first = time.perf_counter() - start
    if first > _ENOUGH_SECONDS:
        return first
    seconds: list[float] = []
    while len(seconds) < _FEWEST_PASSES or (sum(seconds) < _ENOUGH_SECONDS and len(seconds) < _MOST_PASSES):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


class ComparedTask(ABC):
    """How networks of one task are trained again, and what their scores on the holdout say.

    Args:
        plan: Of the study, or of one of its families.
        cases: What is scored one by one.
    """

    def __init__(self, plan: Plan, cases: str) -> None:
        self.terms = Terms(plan.metric, cases, plan.whole_data().targets)

    @property
    def horizon(self) -> int | None:
        """Steps that are forecast; ``None`` where labels are given."""
        return None

    @abstractmethod
    def interval(self, ours: Sequence[Any], theirs: Sequence[Any]) -> Interval:
        """The difference of the scores on the holdout between two families, the first minus the second.

        Args:
            ours: What the seeds gave, at least one.
            theirs: Likewise, of the other family.
        """

    @abstractmethod
    def findings(self, seeds: Sequence[Any]) -> dict[str, Any]:
        """What else the holdout says of a family, by attribute of :class:`~search.compare.results.FamilyResult`."""

    def contexts(self, trials: Sequence[TrialRecord]) -> tuple[ContextScore, ...]:
        """Scores of complete trials by the length of their contexts; none where there are no contexts."""
        del trials
        return ()


def seed_mean(rows: Sequence[Sequence[float]]) -> npt.NDArray[np.float64]:
    """(values,) mean over the (seeds, values) of several seeds."""
    means: npt.NDArray[np.float64] = np.array(rows, np.float64).mean(axis=0)
    return means
