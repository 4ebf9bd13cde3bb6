"""Train the model of a study again on a later table, without a search, and decide whether it becomes champion."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.data.tables.writers import write_text
from lstmgru.errors import DataError
from search.errors import RefitFailed, SearchError, StudyMismatch, StudyNotFound, TrackingError
from search.executors.interruption import Interrupt, interruptible
from search.reports.backtest import backtest_html
from search.run.baselines import baseline_seconds
from search.run.member_refits import Refits, Retrained, Training, retrained_members
from search.run.models import decide, promote
from search.run.recipes import trial_recipe
from search.run.resume import as_begun
from search.run.single_job import SingleJob
from search.run.workers import check_executor, make_study_executor
from search.study.budget import Budget
from search.study.identity import DIGEST, SCORED_AFTER
from search.study.paths import StudyPaths
from search.study.refit_records import CHAMPION_ROWS, REFITS, Promotion, RefitRecord
from search.study.storages import place_of
from search.study.store import ROWS, StudyStore
from search.tasks import task_of
from search.tasks.backtest import HOLDOUT, LAST_NEW_ROWS, Backtested, backtest
from search.tasks.baselines import baseline_groups
from search.tasks.final_job import EndData, FinalJob, FinalMember, FinalResult
from search.tasks.final_steps import EVERYTHING, finalize
from search.tasks.plan import Plan, identity

if TYPE_CHECKING:
    from lstmgru.bundle.base import Bundle
    from search.executors.base import Executor
    from search.run.progress import Listener
    from search.study.backtest_records import BacktestRecord
    from search.study.records import StudyRecord

PAGE = "backtest.html"
"""The page of the old champion on the new rows, beside the tables of the refit."""
_BEFORE = "all"
"""The part of the data before the scored rows."""
_FREE = ("space.", "splits.", "search.", f"{SCORED_AFTER} ", f"{DIGEST} ")
"""Settings of the search, which a refit does not read, and the data, which are others."""


@dataclass(frozen=True)
class RefitOutcome:
    """How a refit ended.

    Attributes:
        study: The study afterwards.
        record: The refit; ``None``: it was interrupted, and nothing has changed.
        champion: The old champion on the new rows; ``None``: they are too few, or it was interrupted.
    """

    study: StudyRecord
    record: RefitRecord | None = None
    champion: Backtested | None = None


def refit(plan: Plan, *, folder: Path, rule: Promotion, listener: Listener) -> RefitOutcome:
    """Train the members of a study's model on a later table, with their weights, and apply the rule of promotion.

    Args:
        plan: The study on the later table.
        folder: The working folder.
        rule: When the new model becomes champion.
        listener: Receives messages.

    Raises:
        StudyNotFound: The study was not run.
        StudyBusy: Another process runs the study.
        StudyMismatch: The study has other settings than the plan.
        SearchError: It has no exported model.
        DataError: The table has nothing new, or does not fit the model.
        RefitFailed: A training that nothing can replace, or the export, failed.
    """
    check_executor(plan)
    paths = StudyPaths(folder, plan.name)
    storage = plan.config.search.storage
    if StudyStore.find(paths, storage) is None:
        raise _not_run(plan)
    place = place_of(paths, storage)
    with place.exclusive(listener.on_message):
        store = StudyStore.at(place, place.open())
        if store is None:
            raise _not_run(plan)
        return _Refit(as_begun(plan, store), store, paths, listener).run(rule)


def _not_run(plan: Plan) -> StudyNotFound:
    return StudyNotFound(
        f"study '{plan.name}' has not been run here, so there is no model to train again; run it with: "
        f"python -m search run {plan.name}"
    )


class _Refit:
    """One refit of a study."""

    def __init__(self, plan: Plan, store: StudyStore, paths: StudyPaths, listener: Listener) -> None:
        self._plan, self._store, self._paths, self._listener = plan, store, paths, listener
        self._task, self._data = task_of(plan), plan.whole_data()
        self._record = store.record()
        self._interrupted = Interrupt()

    def run(self, rule: Promotion) -> RefitOutcome:
        from lstmgru.bundle.load import load_bundle

        self._check_settings()
        place = self._paths.find_bundle(self._record.bundle)
        if place is None:
            raise SearchError(f"study '{self._plan.name}' has no exported model; run it to completion first")
        bundle = load_bundle(place)
        stored = self._store.get(CHAMPION_ROWS) or self._store.get(ROWS)
        change = None if stored is None else self._plan.rows().change_since(stored)
        split = self._task.backtest.unseen(bundle, self._plan, None if change is None else change.new)
        words = str(change) if change is not None else "more rows; whether the ones before have changed is not known"
        self._listener.on_message(f"{self._plan.source}: {words}")
        done = self._score_champion(bundle, split)
        holdout = self._plan.holdout if done is None else self._task.backtest.last_part(self._data, split)
        more = f"{words.split(' more', 1)[0]} more" if change is not None and change.more else "more rows"
        with make_study_executor(self._plan) as executor, interruptible(self._interrupted):
            found = self._train(executor, bundle, place, holdout, compared=done is not None)
        if found is None:
            return RefitOutcome(self._record)
        all_new = np.array_equal(holdout.evaluation, split.evaluation)
        score = found.metrics[self._plan.metric]
        decision = decide(rule, self._plan.metric, score, found.rival, more, all_new=all_new)
        refitted = RefitRecord(
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            source=self._plan.source,
            change=words,
            champion=None if done is None else done.record.score,
            champion_verdict="" if done is None else done.record.verdict,
            beaten=_beaten(done),
            challenger=score,
            against=None if found.rival is None else found.rival.score,
            promoted=decision.promoted,
            reason=decision.reason,
        )
        return self._finish(refitted, place, done, rule)

    def _check_settings(self) -> None:
        """Refuse a plan with other roles, horizon or training settings than the study."""
        differences = [
            text
            for text in identity(self._plan).differences(self._store.get("identity", {}))
            if not text.startswith(_FREE)
        ]
        if differences:
            raise StudyMismatch(
                f"refit trains the model of study '{self._plan.name}' as it is, but {'; '.join(differences)}; restore "
                "the settings, or search again under another name with --set name=..."
            )

    def _score_champion(self, bundle: Bundle, split: Any) -> Backtested | None:
        """The champion on what it has not learned from; ``None`` if that is too little, which is said."""
        task = self._task.backtest
        try:
            part = task.part(bundle, self._plan, split)
            calibrations = self._store.get("calibrations", {})
            names = {"model": self._plan.name, "source": self._plan.source, "called": "champion"}
            return backtest(task, bundle, part, calibrations=calibrations, **names)
        except DataError as error:
            self._listener.on_message(f"the champion cannot be scored on the new rows: {error}")
            return None

    def _train(
        self, executor: Executor, bundle: Bundle, place: Path, holdout: Any, *, compared: bool
    ) -> FinalResult | None:
        """Train the members before the holdout and on everything, and write the challenger; ``None``: interrupted."""
        weights = self._record.weights
        self._listener.on_phase(f"training the {'blend' if len(weights) > 1 else 'model'} on {self._plan.source}")
        recipes = {
            number: trial_recipe(self._plan, self._store, number, part=_BEFORE)
            for number in weights
            if isinstance(number, int)
        }
        quick = [name for name in baseline_groups(self._data)[0] if name in self._record.baselines]
        trainings = [Training(each, _BEFORE) for each in [*weights, *quick]]
        trainings += [Training(each, EVERYTHING) for each in weights]
        trainings = list(dict.fromkeys(trainings))
        refits = Refits(
            self._task,
            executor.data.share(EndData(self._data, holdout)),
            trainings,
            always=trainings,
            recipes=recipes,
            baseline_seconds=baseline_seconds(None),
            budget=Budget(None, trials=None),
            listener=self._listener,
            interrupted=self._interrupted,
        )
        refits.run(executor)
        if self._interrupted():
            return None
        members = [
            FinalMember(each, weight, recipe=recipes[each] if isinstance(each, int) else None)
            for each, weight in weights.items()
        ]
        retrained = retrained_members(members, refits.results, refits.failures, part=_BEFORE, everything=True)
        if retrained.problem:
            raise RefitFailed(retrained.problem)
        for note in retrained.notes:
            self._listener.on_message(note)
        baselines = {name: refits.results[key] for name in quick if (key := Training(name, _BEFORE)) in refits.results}
        calibration = getattr(bundle, "calibration", None)
        job: FinalJob[Any, Any, Any] = FinalJob(
            data=self._data,
            holdout=holdout,
            members=retrained.members,
            single=None,
            baselines=baselines,
            baseline_calibrations=self._store.get("calibrations", {}),
            without_networks="The model of the study has no network",
            least=None,
            bundle=self._paths.challenger,
            report=self._paths.refit_report,
            gaps=self._plan.config.data.gaps,
            provenance=self._provenance(bundle, retrained, LAST_NEW_ROWS if compared else HOLDOUT),
            rival=place if compared else None,
            known_calibration=(
                None if calibration is None else calibration.to_dict(),
                getattr(bundle, "normal_scores", None),
            ),
        )
        single = SingleJob(executor, self._listener, self._interrupted)
        outcome = single.run("the export", finalize, lambda: (self._task, single.share(job)))
        if outcome is None:
            return None
        if outcome.failure is not None:
            raise RefitFailed(f"the export failed: {outcome.failure.reason}")
        result: FinalResult = outcome.result
        for note in result.notes:
            self._listener.on_message(note)
        return result

    def _provenance(self, bundle: Bundle, retrained: Retrained, scored_on: str) -> dict[str, Any]:
        late = [str(each) for each in retrained.late]
        return {
            "study": self._plan.name,
            "study_uid": self._store.get("uid"),
            "trial": bundle.provenance.get("trial"),
            **({"seed": bundle.provenance["seed"]} if "seed" in bundle.provenance else {}),
            "data": self._plan.describe_data(),
            "accelerator": self._plan.accelerator,
            "refit": _BEFORE,
            "scored_on": scored_on,
            "refit_of": bundle.provenance.get("created"),
            "trained_on": EVERYTHING if len(late) < len(retrained.members) else "before_holdout",
            **({"trained_before_holdout": late} if late else {}),
        }

    def _finish(self, refitted: RefitRecord, champion: Path, done: Backtested | None, rule: Promotion) -> RefitOutcome:
        """Move the models, record the refit, and show it in MLflow."""
        page = "" if done is None else backtest_html(done.record, self._task.backtest.draw(done.part, done.outputs))
        if page:
            write_text(self._paths.refit_report / PAGE, page)
        new, old = self._paths.challenger, champion
        if refitted.promoted:
            promote(self._paths, champion)
            self._store.set("bundle", str(self._paths.bundle))
            self._store.set(CHAMPION_ROWS, self._plan.rows().fingerprint())
            new, old = self._paths.bundle, self._paths.former
        self._store.set(REFITS, [*self._store.get(REFITS, []), asdict(refitted)])
        self._track(refitted, new, None if done is None else (done.record, page, old), rule)
        return RefitOutcome(self._store.record(), refitted, done)

    def _track(
        self,
        refitted: RefitRecord,
        model: Path,
        scored: tuple[BacktestRecord, str, Path] | None,
        rule: Promotion,
    ) -> None:
        """Log the new model, and the backtest of the old one; an outage is said, and changes nothing.

        Args:
            refitted: The refit.
            model: Where the new model is.
            scored: The backtest, its page and the directory of the old model; ``None``: it was not scored.
            rule: By which the refit was decided.
        """
        tracking = self._plan.config.tracking
        if not tracking.enabled:
            return
        from search.tracking.refits import log_refit

        self._listener.on_phase("logging the model to MLflow")
        try:
            uri = log_refit(
                self._store.record(),
                model,
                rule=rule,
                settings=tracking.model_dump(),
                folder=self._paths.folder,
                backtest=scored,
            )
        except TrackingError as error:
            self._listener.on_message(
                f"the refit is not logged: {error}; log it later with: python -m search sync {self._plan.name}"
            )
            return
        if refitted.promoted and not uri.endswith("@champion"):
            self._listener.on_message(
                f"the champion of the registered model is one of another study and stays; the new model is {uri} "
                "(--promote always replaces it)"
            )


def _beaten(done: Backtested | None) -> bool | None:
    """Whether a baseline is at least as good as the old champion on the new rows; ``None`` if that is unknown."""
    best = None if done is None else done.record.best_baseline
    if done is None or best is None:
        return None
    score = done.record.baselines[best].score
    return done.part.data.better(done.record.score, score) != done.record.score or done.record.score == score
