"""Run a comparison end to end: search all families, retrain the best of each, measure its costs, summarize."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from search.compare.baselines import score_on_holdout
from search.compare.costs import measure
from search.compare.families import EVERYWHERE, Family, family_plan, study_families
from search.compare.family_search import FamilySearch
from search.compare.page import write_files
from search.compare.results import Comparison, Costs
from search.compare.seeds import Retraining, candidate
from search.compare.store import ComparisonStore, existing_comparison, open_comparison, refuse_study
from search.compare.summary import best_trials, summarize
from search.compare.time_budget import Options, reserved_seconds
from search.compare.tracking import track
from search.config.space_values import Choices
from search.errors import ComparisonUnfinished, StorageError, TrackingError
from search.executors.base import Executor, Job
from search.executors.interruption import interruptible
from search.executors.loop import run_one
from search.reports.formatting import counted
from search.run.baselines import baseline_seconds
from search.run.progress import Listener
from search.run.resume import as_begun, check_studies
from search.run.training_seconds import growths, refit_seconds
from search.run.workers import check_executor, make_study_executor
from search.study.budget import TimeBudget
from search.study.paths import StudyPaths
from search.study.records import TrialRecord
from search.study.storages import chosen_place
from search.study.store import StudyStore
from search.study.trials import trial_record
from search.tasks import task_of
from search.tasks.baselines import baseline_groups, score_baselines
from search.tasks.data import BaselineResult
from search.tasks.plan import Plan


@dataclass(frozen=True)
class CompareOutcome:
    """How a comparison ended.

    Attributes:
        comparison: What was found; ``None`` if it was interrupted before its end.
        files: Folder of its page, Markdown and JSON file.
        run_id: Of its run in MLflow; ``None``: it is not shown there.
    """

    comparison: Comparison | None
    files: Path
    run_id: str | None = None


def compare(plan: Plan, options: Options, *, folder: Path, fresh: bool, listener: Listener) -> CompareOutcome:
    """Compare the families of a study, or resume the comparison.

    Args:
        plan: The study.
        options: Its budget.
        folder: Where ``studies/`` is.
        fresh: Delete an existing comparison first; the study stays.
        listener: Receives progress and messages.

    Raises:
        StudyBusy: Another process compares the families of this study.
        StudyFileError: A family cannot be searched.
        StudyMismatch: The existing comparison has other data or settings, or is stored elsewhere.
        StorageError: The database of the study cannot be used.
        ComparisonUnfinished: The time was up before every family had a trial.
        SearchError: Workers cannot import a registered cell, or no cluster answers at its address.
    """
    paths = StudyPaths(folder, plan.name)
    place = chosen_place(paths, plan.config.search)
    plan, comparison = plan.stored_in(place.storage), place.comparison()
    families = study_families(plan)
    plans = {family: family_plan(plan, family) for family in families}
    everything = _with_all_cells(plan, families)
    check_executor(everything, separate=True)  # memory is measured in a separate process
    with comparison.exclusive(listener.on_message):
        refuse_study(paths)
        if fresh:
            comparison.start_over({"the finished folds": paths.comparison_folds}, check_studies, listener.on_message)
        comparison.remember()
        study = StudyStore.find(paths, place.storage)
        if (begun := existing_comparison(comparison) or study) is not None:
            plan = as_begun(plan, begun)
            families = study_families(plan)
            plans = {family: family_plan(plan, family) for family in families}
            everything = _with_all_cells(plan, families)
        store = open_comparison(plan, plans, study, comparison, listener)
        _say_what_differs(plan, listener)
        found = _Comparing(plan, everything, store, options, paths.comparison_folds, listener).run()
        files = paths.report
        if found is None:
            return CompareOutcome(None, files)
        write_files(found, files)
        return CompareOutcome(found, files, _track(found, plan, folder, files, study, listener))


class _Comparing:
    """One run of a comparison.

    Args:
        plan: The study's.
        everything: The same with the cells of all families.
        store: The comparison.
        options: Its budget.
        folds: Directory of the finished folds of running trials.
        listener: Receives progress and messages.
    """

    def __init__(
        self, plan: Plan, everything: Plan, store: ComparisonStore, options: Options, folds: Path, listener: Listener
    ) -> None:
        self._plan, self._everything, self._store = plan, everything, store
        self._options, self._folds, self._listener = options, folds, listener
        self._task = task_of(plan).compare(plan)
        self._time = TimeBudget(options.timeout, store.whole.get("elapsed", 0.0))
        self._growth = growths(plan)[0]
        self._executor: Executor | None = None
        self._reserve = 0.0

    def run(self) -> Comparison | None:
        """Run all steps that are missing; ``None`` if it was interrupted."""
        try:
            with make_study_executor(self._everything) as executor:
                self._executor = executor
                self._reserve = self._reserved()
                if not (self._search(executor) and self._retrain(executor)):
                    return None
                executor.scale_down(1)  # what follows is one job at a time
                self._score_baselines(executor)
                self._score_baselines_on_holdout(executor)
            self._measure()
            return summarize(self._plan, self._store, seeds=self._options.seeds, seconds=self._time.elapsed)
        finally:
            with suppress(StorageError):  # of a database that is gone; that is what ended the run
                self._note_time()

    def _search(self, executor: Executor) -> bool:
        families, trials = len(self._store.families), self._options.trials
        each = "as many trials as fit" if trials is None else f"{counted(trials, 'trial')} each"
        limit = "" if self._time.timeout is None else f"; time limit {self._time.timeout:g} s"
        self._listener.on_phase(f"searching {families} families, {each}{limit}")
        search = FamilySearch(
            self._store.families,
            executor,
            limit=self._options.trials,
            time_left=self._search_seconds_left,
            note_time=self._note_time,
            folds=self._folds,
            listener=self._listener,
        )
        with interruptible(search):
            search.run()
        if search.interrupted:
            return False
        without = [family.name for family in self._store.families if not family.ended()]
        if without:
            raise ComparisonUnfinished(
                f"the time limit of {self._time.timeout:g} s was reached before {', '.join(without)} had a trial; "
                f"about {self._reserved():.0f} s are reserved for retraining and measuring the best of each family; "
                "resume with a larger --timeout"
            )
        return True

    def _retrain(self, executor: Executor) -> bool:
        best = best_trials(self._store)
        self._listener.on_phase(f"retraining the best of each family with {counted(self._options.seeds, 'new seed')}")
        retraining = Retraining(
            self._plan,
            best,
            executor,
            seeds=self._options.seeds,
            time_left=lambda: self._time.left,
            note_time=self._note_time,
            listener=self._listener,
        )
        with interruptible(retraining):
            retraining.run()
        return not retraining.interrupted

    def _score_baselines(self, executor: Executor) -> None:
        whole = self._store.whole
        if whole.get("baselines") is None or whole.get("baseline_calibrations") is None:
            data = self._plan.search_data()
            names = tuple(chain.from_iterable(baseline_groups(data)))
            seconds = baseline_seconds(self._time.timeout)
            arguments = (executor.data.share(data), names, seconds)
            outcome = run_one(executor, Job(0, score_baselines, arguments, retries=1))
            if outcome.failure is not None:
                self._listener.on_message(f"the baselines could not be scored: {outcome.failure.reason}")
            else:
                found = {name: each for name, each in outcome.result.items() if isinstance(each, BaselineResult)}
                whole.set("baseline_calibrations", {name: each.calibration for name, each in found.items()})
                whole.set("baselines", {name: each.score for name, each in found.items()})

    def _score_baselines_on_holdout(self, executor: Executor) -> None:
        """One after the other while nothing else runs, because their latency is measured, too."""
        whole = self._store.whole
        known, calibrations = dict(whole.get("baseline_holdout", {})), whole.get("baseline_calibrations", {})
        missing = [name for name in whole.get("baselines", {}) if name not in known]
        if not missing:
            return
        self._listener.on_phase("scoring the baselines on the holdout")
        task, data = task_of(self._plan), executor.data.share(self._plan.whole_data())
        seconds = baseline_seconds(self._time.timeout)
        for name in missing:
            arguments = (task, data, self._plan.holdout, name, calibrations.get(name), seconds)
            outcome = run_one(executor, Job(0, score_on_holdout, arguments, retries=1))
            if outcome.failure is not None:
                self._listener.on_message(f"baseline {name} could not be scored: {outcome.failure.reason}")
                continue
            known[name] = outcome.result
            whole.set("baseline_holdout", known)
            if isinstance(outcome.result, str):
                self._listener.on_message(f"baseline {name} has no score on the holdout: {outcome.result}")
            self._note_time()

    def _measure(self) -> None:
        best = best_trials(self._store)
        missing = {family: trial for family, trial in best.items() if family.costs(trial.number) is None}
        if missing:
            self._listener.on_phase("measuring memory and latency, one family after the other")
        for family, trial in missing.items():
            # A new process for each, because the peak memory of a process never shrinks.
            with make_study_executor(replace(self._everything, jobs=1), separate=True) as executor:
                outcome = run_one(executor, Job(0, measure, (candidate(family, trial),), retries=1))
            if isinstance(outcome.result, Costs):
                family.set_costs(trial.number, outcome.result)
            elif outcome.failure is not None:
                self._listener.on_message(f"{family.name} could not be measured: {outcome.failure.reason}")
            self._note_time()

    def _reserved(self) -> float:
        """Seconds to reserve for the steps after the search."""
        best = [None if (trial := family.best()) is None else trial_record(trial) for family in self._store.families]
        trainings = [0.0 if trial is None else self._training_seconds(trial) for trial in best]
        startup = None if self._executor is None else self._executor.startup_seconds
        return reserved_seconds(trainings, seeds=self._options.seeds, jobs=self._plan.jobs, startup_seconds=startup)

    def _training_seconds(self, trial: TrialRecord) -> float:
        """Expected seconds of a retraining: on the folds, and on what precedes the holdout."""
        larger_is_better = self._plan.direction == "maximize"
        refit = refit_seconds(trial.curve, self._growth, larger_is_better=larger_is_better)
        return (trial.train_seconds or 0.0) + refit

    def _search_seconds_left(self) -> float:
        return self._time.left if self._time.timeout is None else self._time.left - self._reserve

    def _note_time(self) -> None:
        self._store.whole.set("elapsed", round(self._time.elapsed, 1))
        self._reserve = self._reserved()  # it is asked for many times a second, and changes when something ended


def _track(
    comparison: Comparison, plan: Plan, folder: Path, files: Path, study: StudyStore | None, listener: Listener
) -> str | None:
    """Show the comparison in MLflow; returns the id of its run, or ``None``."""
    settings = plan.config.tracking
    if not settings.enabled:
        return None
    record = None if study is None else study.record()
    try:
        return track(comparison, settings.model_dump(), folder, files, record)
    except TrackingError as error:
        listener.on_message(f"{error}; the comparison is complete, and running the command again logs it to MLflow")
        return None


def _with_all_cells(plan: Plan, families: Iterable[Family]) -> Plan:
    """The study with the cells of all families, so that workers know them."""
    cells = dict.fromkeys(cell for family in families for cell in family.space["cell"].values or ())
    return replace(plan, space=plan.space.replacing(cell=Choices(tuple(cells))))


def _say_what_differs(plan: Plan, listener: Listener) -> None:
    """Report the search settings of the study that do not apply to its families."""
    search = plan.config.search
    if search.sampler not in EVERYWHERE:
        listener.on_message(
            f"families are searched by the sampler {EVERYWHERE[0]}, because {search.sampler} cannot search all of them"
        )
    if len(search.objectives) > 1:
        listener.on_message(f"families are compared by the score alone, not by {', '.join(search.objectives)}")
