"""The members of a blend are trained again in parallel, the most important ones first, as far as the time allows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from search.executors.base import Failure, Job, Outcome
from search.executors.loop import JobSource
from search.study.blends import Candidate, candidate_name
from search.tasks.refit import refit_baseline, refit_network

if TYPE_CHECKING:
    from search.run.progress import Listener
    from search.study.budget import Budget
    from search.tasks.base import Task
    from search.tasks.final import Recipe, Refitted


@dataclass(frozen=True)
class Training:
    """A model to train again.

    Attributes:
        candidate: A trial or a baseline.
        part: Of the data, see :func:`~search.tasks.refit.refit_network`.
    """

    candidate: Candidate
    part: str


class Refits(JobSource):
    """Trains models before the holdout, so that they can be scored, and on everything, so that they can be exported.

    Args:
        task: Of the study.
        end: Handle of the :class:`~search.tasks.final.EndData`.
        trainings: In the order in which they matter.
        always: Those that run however little time is left; the others run if they can be expected to end in time.
        recipes: Of the networks among them, by number of the trial.
        baseline_seconds: Time limit of one baseline.
        budget: Remaining time.
        listener: Receives a message about a retry.
        interrupted: Whether to stop.

    Attributes:
        results: The trainings that ended.
        failures: Reasons of those that failed.
    """

    def __init__(
        self,
        task: Task[Any, Any, Any],
        end: Any,
        trainings: Sequence[Training],
        *,
        always: Collection[Training],
        recipes: Mapping[int, Recipe[Any]],
        baseline_seconds: float,
        budget: Budget,
        listener: Listener,
        interrupted: Callable[[], bool],
    ) -> None:
        self.results: dict[Training, Refitted] = {}
        self.failures: dict[Training, str] = {}
        self._task, self._end, self._trainings = task, end, trainings
        self._always, self._recipes, self._baseline_seconds = always, recipes, baseline_seconds
        self._budget, self._listener, self._interrupted = budget, listener, interrupted
        self._next = 0

    def next_job(self) -> Job | None:
        """The next training that fits into the time."""
        while self._next < len(self._trainings):
            key = self._next
            self._next += 1
            if self._fits(self._trainings[key]):
                return self._job(key)
        return None

    def on_retry(self, job: Job, failure: Failure) -> Job:
        """A worker died, which need not be the model's fault."""
        name = candidate_name(self._trainings[job.key].candidate)
        self._listener.on_message(f"the refit of {name} failed: {failure.reason}; retrying")
        return self._job(job.key)

    def on_outcome(self, outcome: Outcome) -> None:
        """A training ended."""
        training = self._trainings[outcome.key]
        if outcome.failure is None:
            self.results[training] = outcome.result
        else:
            self.failures[training] = outcome.failure.reason

    def stopping(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._interrupted()

    def _fits(self, training: Training) -> bool:
        """Whether a training can be expected to end in time: another one of the same model takes about as long."""
        if training in self._always:
            return True
        others = [each for each in self._trainings if each.candidate == training.candidate and each != training]
        if any(each in self.failures for each in others):
            return False
        done = [self.results[each] for each in others if each in self.results]
        if any(each.stopped for each in done):
            return False
        left = self._budget.refit_seconds_left()
        return left > 0 and all(left >= each.seconds for each in done)

    def _job(self, key: int) -> Job:
        candidate, part = self._trainings[key].candidate, self._trainings[key].part
        seconds = max(1.0, self._budget.refit_seconds_left())
        if isinstance(candidate, int):
            return Job(key, refit_network, (self._task, self._end, self._recipes[candidate], part, seconds), retries=1)
        seconds = min(seconds, self._baseline_seconds)
        return Job(key, refit_baseline, (self._task, self._end, candidate, part, seconds), retries=1)
