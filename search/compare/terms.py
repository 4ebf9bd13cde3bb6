"""The words in which a comparison speaks of its task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lstmgru.specs import LARGER_IS_BETTER

Cases = Literal["windows", "sequences", "texts"]
"""What is scored one by one: of forecasts windows, of labels sequences or texts."""

_NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "r2": "R²",
}
"""Metrics whose name is not written in capitals."""


@dataclass(frozen=True)
class Terms:
    """The words of a task; whatever is said of scores follows which way they are better.

    Attributes:
        metric: Name of the score.
        cases: What is scored one by one.
    """

    metric: str
    cases: Cases

    @property
    def larger_is_better(self) -> bool:
        """Which way the score is better."""
        return self.metric in LARGER_IS_BETTER

    @property
    def name(self) -> str:
        """Of the metric, within a sentence."""
        return _NAMES.get(self.metric, self.metric.upper())

    @property
    def title(self) -> str:
        """Of the metric, at the beginning of a sentence."""
        return self.name[0].upper() + self.name[1:]

    @property
    def case(self) -> str:
        """One of the cases."""
        return self.cases.removesuffix("s")

    @property
    def output(self) -> str:
        """What a network gives for a case."""
        return "forecast" if self._of_errors else "prediction"

    @property
    def better(self) -> str:
        """What a better family has: ``lower errors``, ``a higher accuracy``."""
        return self._what("higher" if self.larger_is_better else "lower")

    @property
    def worse(self) -> str:
        """What a worse family has."""
        return self._what("lower" if self.larger_is_better else "higher")

    @property
    def better_than(self) -> str:
        """As in: gru is best, its accuracy on the holdout is higher than that of lstm."""
        if self._of_errors:
            return "its errors on the holdout are lower than those of"
        return f"its {self.name} on the holdout is {'higher' if self.larger_is_better else 'lower'} than that of"

    @property
    def length_unit(self) -> str:
        """What the length of a case is counted in."""
        return "characters" if self.cases == "texts" else "steps"

    @property
    def compared(self) -> str:
        """What is compared case by case: ``error``, or the metric."""
        return "error" if self._of_errors else self.name

    @property
    def test(self) -> str:
        """How a family is compared with the best one on the holdout, a sentence without its period."""
        if self._of_errors:
            squared = " squared" if self.metric == "rmse" else ""
            return (
                f"Errors{squared} on the holdout minus those of the best family, window by window, mean over the seeds,"
                " above 0 where it is worse; a paired test over blocks of windows"
            )
        return (
            f"{self.title} on the holdout minus that of the best family, mean over the seeds, "
            f"{'below' if self.larger_is_better else 'above'} 0 where it is worse; a paired bootstrap over "
            f"{self.cases}, or over their groups"
        )

    @property
    def timed(self) -> str:
        """The cases whose outputs are timed: ``64 windows``; sequences and texts at their maximum length."""
        return f"64 {self.cases}" + ("" if self._of_errors else ", as long as they are read at most")

    @property
    def _of_errors(self) -> bool:
        """Whether windows are compared by their errors, which not every metric of forecasts is a mean of."""
        return self.cases == "windows"

    def _what(self, how: str) -> str:
        return f"{how} errors" if self._of_errors else f"a {how} {self.name}"
