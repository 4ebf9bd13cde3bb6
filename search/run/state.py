"""The state of a search: asks Optuna for trials, and reports and tells their results; without executor and clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from search.config.objectives import SCORE
from search.run.training_seconds import Estimates, RefitSeconds, training_work
from search.study.history import History
from search.study.pruners import make_pruner, pass_last_rungs, prune_reason, should_prune
from search.study.records import EpochRecord, TrialRecord
from search.study.samplers import derive_seed, discard_params, make_sampler
from search.study.screening import Screening, rungs
from search.study.store import StudyStore
from search.study.trials import curve_rows, trial_record

if TYPE_CHECKING:
    from optuna.trial import Trial

    from lstmgru.specs import TrainSpec
    from search.executors.base import Failure
    from search.run.trial import TrialReport, TrialResult
    from search.space.space import Model
    from search.study.budget import Budget
    from search.tasks.plan import Plan


_MOST_SUGGESTED = 5
"""New candidates that may be too slow for the time left before the search gives up."""


@dataclass(frozen=True)
class AskedTrial:
    """A trial to train.

    Attributes:
        number: The trial's.
        model: The architecture.
        train: The training settings.
    """

    number: int
    model: Model
    train: TrainSpec


@dataclass
class _Running:
    """A running trial."""

    trial: Trial
    work: float = 0.0
    curve: list[EpochRecord] = field(default_factory=list)
    value: float | None = None
    rung: int = -1
    stop: str | None = None
    record: TrialRecord | None = None


class SearchState:
    """The running and finished trials of a study.

    Args:
        plan: What to search.
        store: The study.
    """

    def __init__(self, plan: Plan, store: StudyStore) -> None:
        self._plan, self._store = plan, store
        self._running: dict[int, _Running] = {}
        self._grid = plan.space.grid() if plan.config.search.sampler == "grid" else None
        self._history = History()
        search, epochs = plan.config.search, plan.max_epochs * plan.n_folds
        store.study.pruner = make_pruner(search.pruner, percentile=search.percentile, epochs=epochs)
        self._estimates: Estimates | None = None
        self._trainings: RefitSeconds | None = None  # seconds of the refits that would follow now
        self._works: dict[int, float] = {}  # by waiting trial
        self._too_late = False
        self._passed: dict[int, int] = {}  # by promoted candidate: the rung that it need not pass again
        self._screening = _screening(plan, store) if search.pruner == "screening" else None

    def running(self) -> tuple[TrialRecord, ...]:
        """The running trials, by number."""
        return tuple(each.record or self.record(number) for number, each in sorted(self._running.items()))

    def record(self, number: int) -> TrialRecord:
        """The current state of a trial."""
        running = self._running.get(number)
        if running is None:
            return trial_record(self._store.trial(number))
        running.record = trial_record(self._store.trial(number), curve=tuple(running.curve))
        return running.record

    def may_ask(self, budget: Budget) -> bool:
        """Whether the budget allows another trial."""
        counted, waiting = self._store.counts()
        room = budget.trials is None or counted - waiting < budget.trials
        return not self._too_late and (room or self._promotable() is not None) and self.seconds_left(budget) > 0

    def seconds_left(self, budget: Budget) -> float:
        """Seconds until the search must stop for the refits and the export to fit into the budget."""
        if budget.timeout is None:
            return budget.left
        if self._trainings is None:  # this is called often
            self._trainings = self.estimates.trainings(running.curve for running in self._running.values())
        return budget.search_seconds_left(*self._trainings, jobs=self._plan.jobs)

    @property
    def estimates(self) -> Estimates:
        """What trainings are expected to take; the trials are only read if someone asks, as with a time limit."""
        if self._estimates is None:
            self._estimates = Estimates(self._plan, self._store)
        return self._estimates

    def ask_within(self, budget: Budget) -> AskedTrial | None:
        """Start the next trial that can be expected to end in time, or else the quickest one.

        With a time limit, candidates that are too slow go back into the queue.

        Returns:
            ``None`` if no candidate can be expected to reach its first rung in time; then none will.
        """
        if budget.timeout is None:
            return self.ask()
        seconds = self.seconds_left(budget)
        self._promote()
        works: dict[int, float] = {}
        asked: dict[int, AskedTrial] = {}
        for number in self._candidates(budget):
            # A trial that was asked for before need not be, which would write to the journal.
            work = self._work_of_waiting(number)
            if work is None:
                asked[number] = self._ask(number)
                work = self._running[number].work
            works[number] = work
            if self.estimates.whole(work) <= seconds:
                break
        else:
            number = min(works, key=works.__getitem__)
        self._too_late = self.estimates.first_rung(works[number]) > seconds
        for other in asked:
            if other != number or self._too_late:
                self.requeue(other)
        if self._too_late:
            return None
        return asked[number] if number in asked else self._ask(number)

    def _candidates(self, budget: Budget) -> Iterator[int]:
        """The numbers of the waiting trials, then of new ones, as many as the budget allows and at least one."""
        waiting = [trial.number for trial in self._store.waiting()]
        new = _MOST_SUGGESTED - len(waiting)
        if budget.trials is not None:
            new = min(new, budget.trials - self._store.counts()[0])
        yield from waiting
        for _ in range(new if waiting else max(1, new)):
            yield self._store.new_number()

    def _work_of_waiting(self, number: int) -> float | None:
        """The work of a waiting trial whose parameters are all known."""
        from optuna.trial import FixedTrial

        if number not in self._works and number < self._store.new_number():
            trial = self._store.trial(number)
            if "seed" in trial.user_attrs:  # then it is run again as it was
                parameters = trial.system_attrs.get("fixed_params", {}) | trial.params
                model, settings = self._plan.space.suggest(FixedTrial(parameters))
                self._works[number] = training_work(model, settings.batch_size)
        return self._works.get(number)

    def ask(self) -> AskedTrial:
        """Start the next trial: the first one that waits, one that is promoted, or a new one."""
        self._promote()
        waiting = self._store.waiting()
        return self._ask(waiting[0].number if waiting else self._store.new_number())

    def _promote(self) -> None:
        """Queue the candidate that is to be trained further, if there is one."""
        if self._screening is not None and (stopped := self._screening.promotable()) is not None:
            candidate = self._store.candidate(stopped)
            self._passed[candidate] = self._screening.promote(candidate)
            self._store.promote(stopped)

    def _ask(self, number: int) -> AskedTrial:
        """Start a waiting trial, or a new one with the next number."""
        with self._store.together():
            return self._suggest(number)

    def _suggest(self, number: int) -> AskedTrial:
        plan, search = self._plan, self._plan.config.search
        self._store.study.sampler = make_sampler(
            search.sampler, seed=search.seed, number=number, grid=self._grid, history=self._history
        )
        trial = self._store.begin(number)
        suggested = "seed" in trial.user_attrs  # then it is run again as it was
        if not suggested:
            discard_params(trial)
        model, settings = plan.space.suggest(trial)
        if not suggested:
            trial.set_user_attr("layers", model.architecture)
            trial.set_user_attr("seed", derive_seed(search.seed, trial.number))
        rung = self._passed.get(self._store.candidate(trial.number), -1)
        self._running[trial.number] = _Running(trial, training_work(model, settings.batch_size), rung=rung)
        return AskedTrial(trial.number, model, plan.train_spec(settings, seed=trial.user_attrs["seed"]))

    def report(self, number: int, report: TrialReport) -> None:
        """Keep an epoch of a running trial, and decide whether to prune it."""
        running = self._note(number, report)
        if self._screening is not None:
            self._screen(number, running)
        if not self._store.goal.single:
            return
        search, max_epochs = self._plan.config.search, self._plan.max_epochs
        if should_prune(self._store.study, self._store.trial(number), step=report.step, max_epochs=max_epochs):
            running.stop = prune_reason(search.pruner, percentile=search.percentile)

    def resume(self, number: int, reports: Iterable[TrialReport]) -> None:
        """Take the epochs of a running trial into account that need not be repeated: what passed then has passed."""
        for report in reports:
            running = self._note(number, report)
            if self._screening is not None:
                reached = self._screening.reach(self._store.candidate(number), running.curve)
                running.rung = max(running.rung, -1 if reached is None else reached)

    def _note(self, number: int, report: TrialReport) -> _Running:
        running = self._running[number]
        running.curve.append(report.epoch)
        running.value = report.value
        if self._estimates is not None:
            self._estimates.observe(number, running.work, running.curve)
            self._trainings = None
        # Optuna takes no intermediate values of several objectives. After a crash, a trial repeats steps.
        if self._store.goal.single and report.step not in self._store.trial(number).intermediate_values:
            running.trial.report(report.value, report.step)
        return running

    def _screen(self, number: int, running: _Running) -> None:
        """Decide whether a trial that has reached a rung continues."""
        assert self._screening is not None  # the caller has seen to that
        candidate = self._store.candidate(number)
        rung = self._screening.reach(candidate, running.curve)
        if rung is None or rung <= running.rung:
            return
        running.rung = rung
        if not self._screening.passes(candidate, rung):
            running.stop = self._screening.reason(rung)

    def _screened(self, number: int, running: _Running, result: TrialResult) -> None:
        """Take a trial that ended into account for the next decisions."""
        assert self._screening is not None  # the caller has seen to that
        candidate = self._store.candidate(number)
        if self._store.goal.broken(result.measures):
            self._screening.discard(candidate)
        elif result.stopped is None:
            self._screening.reach(candidate, running.curve, ended=True)
        elif result.stopped == running.stop:
            self._screening.stop(candidate, number, running.rung)

    def _promotable(self) -> int | None:
        """The stopped trial whose candidate is to be trained further."""
        return None if self._screening is None else self._screening.promotable()

    def stop_reason(self, number: int) -> str | None:
        """Why a running trial was pruned; ``None``: it was not."""
        running = self._running.get(number)
        return running.stop if running else None

    def requeue(self, number: int) -> None:
        """Put a running trial back into the queue: the next :meth:`ask` returns it again."""
        del self._running[number]
        self._trainings = None
        self._store.requeue(number)

    def tell(self, number: int, result: TrialResult, seconds: float) -> None:
        """Record a trial that finished or was stopped.

        Args:
            number: Of the trial.
            result: Its result.
            seconds: How long it took.
        """
        with self._store.together():
            self._tell(number, self._running.pop(number), result, seconds)
        if result.stopped is None and self._estimates is not None:
            self._estimates.add(self.record(number))

    def _tell(self, number: int, running: _Running, result: TrialResult, seconds: float) -> None:
        from optuna.trial import TrialState

        study, goal = self._store.study, self._store.goal
        trial, stopped = running.trial, result.stopped is not None
        if self._screening is not None:
            self._screened(number, running, result)
        details = _details(running, seconds) | result.details()
        if not goal.single:
            details[SCORE] = running.value if stopped else result.score
        trial.set_user_attr("result", details)
        # Apart from the rest, which is read again and again: this is read once, for the winner.
        trial.set_user_attr("calibration", result.calibration)
        for bound in goal.bounds:
            if bound.name not in trial.constraints:  # a run that was killed here may have set it
                trial.set_constraint(bound.name, bound.violation(result.measures[bound.name]))
        self._trainings = None
        if stopped:
            study.tell(trial, state=TrialState.PRUNED)
            return
        folds, max_epochs = len(result.fold_scores), self._plan.max_epochs
        pass_last_rungs(study, self._store.trial(number), folds=folds, max_epochs=max_epochs)
        values = {SCORE: result.score, **result.measures}
        study.tell(trial, [values[name] for name in goal.objectives])

    def fail(self, number: int, failure: Failure, seconds: float) -> bool:
        """A trial failed.

        Args:
            number: Of the trial.
            failure: Why.
            seconds: How long it took.

        Returns:
            Whether its parameters are queued once more, because its worker died.
        """
        from optuna.trial import TrialState

        running = self._running.pop(number)
        self._trainings = None
        reason = {"reason": failure.reason, "traceback": failure.details}
        with self._store.together():
            running.trial.set_user_attr("result", _details(running, seconds) | reason)
            self._store.study.tell(running.trial, state=TrialState.FAIL)
            return failure.died and self._store.retry(number)


def _screening(plan: Plan, store: StudyStore) -> Screening:
    """The screening of a study, with what earlier runs have found."""
    goal = store.goal
    screening = Screening(
        rungs(plan.max_epochs, plan.n_folds), larger_is_better=plan.direction == "maximize", by_cost=not goal.single
    )
    for trial in store.record().trials:
        if trial.state in ("COMPLETE", "PRUNED", "STOPPED") and not goal.broken(trial.measures):
            screening.add(trial, store.candidate(trial.number))
    return screening


def _details(running: _Running, seconds: float) -> dict[str, Any]:
    return {"seconds": round(seconds, 3), "curve": curve_rows(running.curve)}
