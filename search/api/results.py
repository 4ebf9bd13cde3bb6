"""What the functions of the Python interface return: results that a notebook shows, with one line for a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from search.compare.results import Comparison
from search.study.backtest_records import BacktestRecord

if TYPE_CHECKING:
    from search.api.study_result import StudyResult
    from search.study.refit_records import RefitRecord


class ComparisonResult(Comparison):
    """A comparison of families, see :class:`~search.compare.results.Comparison`."""

    @classmethod
    def of(cls, comparison: Comparison) -> Self:
        """The same comparison."""
        return cls(**vars(comparison))

    def __repr__(self) -> str:
        families = ", ".join(family.name for family in self.families)
        return (
            f"ComparisonResult(study={self.study!r}, metric={self.metric!r}, families=[{families}], best={self.best!r})"
        )

    def _repr_html_(self) -> str:
        from search.compare.page import comparison_notebook

        return comparison_notebook(self)


class BacktestResult(BacktestRecord):
    """A backtest of a model, see :class:`~search.study.backtest_records.BacktestRecord`."""

    @classmethod
    def of(cls, record: BacktestRecord) -> Self:
        """The same backtest."""
        return cls(**vars(record))

    def __repr__(self) -> str:
        return (
            f"BacktestResult(model={self.model!r}, source={self.source!r}, {self.metric}={self.score:.4g}, "
            f"beats_baselines={self.beats_baselines})"
        )

    def _repr_html_(self) -> str:
        from search.reports.backtest import backtest_notebook

        return backtest_notebook(self)


@dataclass(frozen=True, repr=False)
class RefitResult:
    """A refit of the model of a study.

    Attributes:
        study: The study afterwards.
        record: The refit: what was new, both scores, whether the new model was promoted, and why.
        champion: The old model on the rows that have arrived since; ``None``: they are too few.
    """

    study: StudyResult
    record: RefitRecord
    champion: BacktestResult | None = None

    @property
    def promoted(self) -> bool:
        """Whether the new model is the champion now."""
        return self.record.promoted

    def __repr__(self) -> str:
        against = "None" if self.record.against is None else f"{self.record.against:.4g}"
        return (
            f"RefitResult(study={self.study.name!r}, promoted={self.promoted}, "
            f"challenger={self.record.challenger:.4g}, against={against}, change={self.record.change!r})"
        )

    def _repr_html_(self) -> str:
        from search.reports.refit import refit_notebook

        return refit_notebook(self.study.name, self.study.metric, self.record, self.champion)
