"""What a comparison does in a way of its own for each task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from search.compare.terms import Cases, Terms

if TYPE_CHECKING:
    from lstmgru.evaluation.significance import Interval
    from lstmgru.specs import TrainSpec
    from search.compare.measures import ContextScore
    from search.space.space import Model
    from search.study.records import TrialRecord
    from search.tasks.plan import Plan
    from search.tasks.retrain import Candidate, SeedResult


class ComparedTask(ABC):
    """How networks of one task are trained again, and what their scores on the holdout say.

    Args:
        plan: Of the study, or of one of its families.
        cases: What is scored one by one.
    """

    def __init__(self, plan: Plan, cases: Cases) -> None:
        self.terms = Terms(plan.metric, cases)

    @property
    def horizon(self) -> int | None:
        """Steps that are forecast; ``None`` where labels are given."""
        return None

    @abstractmethod
    def candidate(self, model: Model, train: TrainSpec) -> Candidate:
        """What is trained again."""

    @abstractmethod
    def read(self, values: Mapping[str, Any]) -> SeedResult:
        """What a seed gave, as it was kept."""

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
