"""The members of a blend are trained again in parallel, as far as the time allows, and what becomes of them then."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lstmgru.errors import listed
from search.executors.base import Failure, Job, Outcome
from search.executors.loop import JobSource, run_jobs
from search.run.baselines import baseline_seconds
from search.study.blend_records import Candidate, candidate_name
from search.tasks.data import DroppedBaseline
from search.tasks.final_job import FinalMember, Refitted
from search.tasks.final_steps import EVERYTHING, refit_baseline, refit_network

if TYPE_CHECKING:
    from search.executors.base import Executor
    from search.run.progress import Listener
    from search.study.budget import Budget
    from search.tasks.base import Task
    from search.tasks.final_job import Recipe


_NEARLY = 0.01
"""Share of the score of the last epoch by which an earlier one may differ."""


@dataclass(frozen=True)
class Training:
    """A model to train again.

    Attributes:
        candidate: A trial or a baseline.
        part: Of the data, see :func:`~search.tasks.final_steps.refit_network`.
    """

    candidate: Candidate
    part: str


class Refits(JobSource):
    """Trains models before the holdout, so that they can be scored, and on everything, so that they can be exported.

    Args:
        task: Of the study.
        end: Handle of the :class:`~search.tasks.final_job.EndData`.
        trainings: In the order in which they matter.
        always: Those that run however little time is left; the others run if they can be expected to end in time.
        recipes: Of the networks among them, by number of the trial.
        baseline_seconds: Time limit of one baseline.
        budget: Remaining time.
        listener: Receives a message about a retry.
        interrupted: Whether to stop.
        growth: Examples of everything over those before the holdout.

    Attributes:
        results: The trainings that ended.
        failures: Reasons of those that failed. A baseline that the time of the study was too short for has none.
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
        growth: float = 1.0,
    ) -> None:
        self.results: dict[Training, Refitted] = {}
        self.failures: dict[Training, str] = {}
        self._task, self._end, self._trainings = task, end, trainings
        self._always, self._recipes, self._baseline_seconds = always, recipes, baseline_seconds
        self._budget, self._listener, self._interrupted = budget, listener, interrupted
        self._growth, self._next = growth, 0
        self._limits: dict[int, float] = {}  # of baselines, in seconds by key
        self._late: set[Candidate] = set()  # baselines that a longer time limit might fit

    def run(self, executor: Executor) -> None:
        """Train. Workers for which there is nothing to train end, so that a cluster can remove their nodes."""
        executor.scale_down(len(self._trainings))
        run_jobs(executor, self)

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
        training, result = self._trainings[outcome.key], outcome.result
        if outcome.failure is not None:
            self.failures[training] = outcome.failure.reason
        elif not isinstance(result, DroppedBaseline):
            self.results[training] = result
        elif self._limits[outcome.key] < baseline_seconds(None):
            self._late.add(training.candidate)
        else:
            self.failures[training] = result.reason

    def stopping(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._interrupted()

    def baselines(self, part: str) -> tuple[dict[str, Refitted], dict[str, str]]:
        """The baselines that were fitted to a part of the data, and the reasons of those that failed, by name."""
        fitted = {each.candidate: done for each, done in self.results.items() if each.part == part}
        failed = {each.candidate: reason for each, reason in self.failures.items() if each.part == part}
        return (
            {name: done for name, done in fitted.items() if isinstance(name, str)},
            {name: reason for name, reason in failed.items() if isinstance(name, str)},
        )

    def _fits(self, training: Training) -> bool:
        """Whether a training can be expected to end in time, by the seconds of another one of the same model."""
        if training in self._always:
            return True
        if training.candidate in self._late:
            return False
        others = [each for each in self._trainings if each.candidate == training.candidate and each != training]
        if any(each in self.failures for each in others):
            return False
        done = [self.results[each] for each in others if each in self.results]
        if any(each.stopped for each in done):
            return False
        left, growth = self._budget.refit_seconds_left(), self._growth if training.part == EVERYTHING else 1.0
        return left > 0 and all(left >= growth * each.seconds for each in done)

    def _job(self, key: int) -> Job:
        candidate, part = self._trainings[key].candidate, self._trainings[key].part
        seconds = max(1.0, self._budget.refit_seconds_left())
        if isinstance(candidate, int):
            return Job(key, refit_network, (self._task, self._end, self._recipes[candidate], part, seconds), retries=1)
        self._limits[key] = seconds = min(seconds, self._baseline_seconds)
        return Job(key, refit_baseline, (self._task, self._end, candidate, part, seconds), retries=1)


@dataclass(frozen=True)
class Retrained:
    """The members that are exported.

    Attributes:
        members: With their trainings; their weights sum to 1.
        notes: What the time or a failure changed, a sentence each.
        cut: Whether more time would change the model.
        left_out: Members of the selected blend that are not exported.
        unscored: Baselines that the time was too short to score on the holdout.
        problem: Why no member is left; empty if one is.
    """

    members: tuple[FinalMember[Any], ...]
    notes: tuple[str, ...] = ()
    cut: bool = False
    left_out: tuple[Candidate, ...] = ()
    unscored: tuple[str, ...] = ()
    problem: str = ""

    @property
    def is_reduced(self) -> bool:
        """Whether this is not what was selected, but what the time and failures left of it."""
        return self.cut or bool(self.left_out)

    @property
    def late(self) -> tuple[Candidate, ...]:
        """Members that were trained before the holdout only."""
        return tuple(member.candidate for member in self.members if member.exported is None)


def retrained_members(
    members: Sequence[FinalMember[Any]],
    results: Mapping[Training, Refitted],
    failures: Mapping[Training, str],
    *,
    part: str,
    everything: bool,
) -> Retrained:
    """The members that are left, with their trainings.

    A member that could not be trained before the holdout is left out, and the other weights grow in proportion; a
    training that was stopped counts if its epochs were enough, see :func:`is_trained`. If nothing else is left, a
    network is exported with the epochs that it got. A member that could not be trained on everything is exported as it
    was scored.

    Args:
        members: Of the selected blend, the largest weight first.
        results: The trainings that ended.
        failures: Reasons of those that failed.
        part: The data of the first training of each member.
        everything: Whether they were to be trained on everything, too.
    """
    scored = {member.candidate: results.get(Training(member.candidate, part)) for member in members}
    left = [member for member in members if is_trained(member.recipe, scored[member.candidate])]
    notes: list[str] = []
    problem = ""
    if not left:
        left, note = _partial(members, scored, failures, part)
        notes, problem = ([note], "") if left else ([], note)
    else:
        notes += [_shortened(member, done) for member in left if (done := scored[member.candidate]) and done.stopped]
    gone = [member.candidate for member in members if member not in left]
    failed = [each for each in gone if Training(each, part) in failures]
    notes += [
        f"{candidate_name(each)} is left out of the blend, as its refit failed: {failures[Training(each, part)]}"
        for each in failed
    ]
    if short := [each for each in gone if each not in failed]:
        notes.append(
            f"{_names(short)} left out of the blend, as the time was too short to train {_them(short)} again; rerun "
            "with a longer --timeout"
        )
    total = sum(member.weight for member in left)
    found = []
    for member in left:
        again = results.get(Training(member.candidate, EVERYTHING))
        exported = again if is_trained(member.recipe, again) else None
        weight = member.weight / total
        found.append(replace(member, weight=weight, scored=scored[member.candidate], exported=exported))
    late = [member.candidate for member in found if everything and member.exported is None]
    if late:
        notes.append(
            f"{_names(late)} exported as trained before the holdout, as the time was too short to train {_them(late)} "
            "on everything; rerun with a longer --timeout"
        )
    cut = len(notes) > len(failed)
    return Retrained(tuple(found), tuple(notes), cut=cut, left_out=tuple(gone), problem=problem)


def _partial(
    members: Sequence[FinalMember[Any]],
    scored: Mapping[Candidate, Refitted | None],
    failures: Mapping[Training, str],
    part: str,
) -> tuple[list[FinalMember[Any]], str]:
    """The first network that was trained for some epochs, and what to say of it; or nothing, and why."""
    for member in members:
        done = scored[member.candidate]
        if done is not None and member.recipe is not None:
            return [member], (
                f"the time budget cut the refit to {done.epochs} of {member.recipe.train.max_epochs} epochs; rerun "
                "with a longer --timeout"
            )
    first = members[0].candidate
    reason = failures.get(Training(first, part), "the time was too short; rerun with a longer --timeout")
    return [], f"the refit of {candidate_name(first)} failed: {reason}"


def is_trained(recipe: Recipe[Any] | None, training: Refitted | None) -> bool:
    """Whether a training can stand for its member.

    One that was stopped can, if its trial had on the folds, after so many epochs, nearly the score of the last epoch.

    Args:
        recipe: Of a network; ``None`` of a baseline.
        training: ``None``: it did not end.
    """
    if training is None or not training.stopped or recipe is None:  # a baseline ends or fails
        return training is not None
    expected = recipe.expected_score(training.epochs)
    return expected is not None and abs(expected - recipe.curve[-1]) <= _NEARLY * abs(recipe.curve[-1])


def _shortened(member: FinalMember[Any], training: Refitted) -> str:
    assert member.recipe is not None  # only networks are stopped
    return (
        f"the time budget ended the refit of {candidate_name(member.candidate)} after {training.epochs} of "
        f"{member.recipe.train.max_epochs} epochs, whose score on the folds was nearly that of all"
    )


def _names(candidates: Sequence[Candidate]) -> str:
    return f"{listed([candidate_name(each) for each in candidates])} {'is' if len(candidates) == 1 else 'are'}"


def _them(candidates: Sequence[Candidate]) -> str:
    return "it" if len(candidates) == 1 else "them"
