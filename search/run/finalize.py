"""The end of a study: selects a blend, has workers train its networks again, score the holdout and export the model."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from lstmgru.errors import listed
from search.errors import RefitFailed
from search.executors.sharing import give_back_memory
from search.run.baselines import baseline_seconds, ranked_baselines, unscored_notes
from search.run.member_refits import Refits, Retrained, Training, is_trained, retrained_members
from search.run.recipes import trial_recipe
from search.run.selection import BlendSelection, why_nothing_to_export
from search.run.single_job import SingleJob
from search.run.training_seconds import growths
from search.study.blend_records import BlendMember, BlendRecord, SingleRecord, candidate_name
from search.study.budget import expected_export
from search.study.records import BaselineRecord, HoldoutRecord
from search.study.refit_records import CHAMPION_ROWS
from search.tasks import task_of
from search.tasks.baselines import baseline_groups
from search.tasks.final_job import EndData, FinalJob, FinalMember, FinalResult, Recipe, Refitted
from search.tasks.final_steps import EVERYTHING, finalize

if TYPE_CHECKING:
    from search.executors.base import Executor
    from search.run.progress import Listener
    from search.study.blend_records import Candidate
    from search.study.budget import Budget
    from search.study.out_of_fold import Predictions
    from search.study.paths import StudyPaths
    from search.study.store import StudyStore
    from search.tasks.blend import Chosen
    from search.tasks.plan import Plan

_EXPORTED = "exported"
"""Study attribute: the members and settings of the exported model, written last."""


class Finalizer:
    """Exports the blend of a study, or its best trial alone.

    Args:
        plan: The study's.
        store: Where the result is recorded.
        predictions: The out-of-fold outputs.
        executor: Idle; runs the jobs.
        budget: Remaining time.
        listener: Receives progress and messages.
        paths: Of the study.
        interrupted: Whether Ctrl-C was pressed.
    """

    def __init__(
        self,
        plan: Plan,
        store: StudyStore,
        predictions: Predictions,
        executor: Executor,
        budget: Budget,
        listener: Listener,
        paths: StudyPaths,
        interrupted: Callable[[], bool],
    ) -> None:
        self._plan, self._store, self._predictions, self._executor = plan, store, predictions, executor
        self._budget, self._listener, self._paths = budget, listener, paths
        self._interrupted = interrupted
        self._job = SingleJob(executor, listener, interrupted)
        self._selection = BlendSelection(plan, store, predictions, self._job, listener)
        self._part: str = plan.config.training.refit
        self._everything = self._part == "all" and plan.config.export.train_on == "everything"

    def run(self) -> bool:
        """Finish the study; ``False`` if it was interrupted first, or if nothing changes what is exported.

        Raises:
            NoTrialCompleted: There is nothing to export.
            RefitFailed: A training that nothing can replace, or the export, failed.
        """
        chosen = self._selection.choose()
        give_back_memory()  # the search and the selection have read many outputs
        if chosen is None or self._is_exported(chosen):
            return False
        single = self._single()
        if single is None and not any(isinstance(each, int) for each in chosen.weights):
            self._listener.on_message(why_nothing_to_export(self._store.record()))
        self._listener.on_phase(self._phase(chosen))
        networks = sum(isinstance(each, int) for each in chosen.weights)
        self._budget.export_seconds = min(
            self._budget.export_seconds, expected_export(self._executor.startup_seconds, networks)
        )
        refits = self._refits(chosen, single)
        refits.run(self._executor)
        if self._interrupted():
            return False
        retrained = self._retrained(chosen.weights, refits)
        if retrained.left_out:
            retrained = self._reselected(retrained, refits)
        if retrained.problem:
            raise RefitFailed(retrained.problem)
        alone = None
        if single is not None:
            scored = refits.results.get(Training(single.number, self._part))
            alone = replace(self._member(single.number, 1.0), outputs=None, scored=scored)
        baselines, failures = refits.baselines(self._part)
        unscored = [name for name in self._ranked() if name not in baselines]
        for note in (*retrained.notes, *unscored_notes(unscored, failures)):
            self._listener.on_message(note)
        retrained = replace(retrained, unscored=tuple(name for name in unscored if name not in failures))
        del refits  # and with it the data of its jobs
        return self._export(chosen, retrained, alone, baselines)

    def _retrained(self, weights: Mapping[Candidate, float], refits: Refits) -> Retrained:
        members = [self._member(candidate, weight) for candidate, weight in weights.items()]
        return retrained_members(members, refits.results, refits.failures, part=self._part, everything=self._everything)

    def _reselected(self, retrained: Retrained, refits: Refits) -> Retrained:
        """The best blend on the folds of what was trained, after members of the selected one were left out.

        A network that was stopped is exported alone if the score to expect of it is better.
        """
        trained = {each.candidate: done for each, done in refits.results.items() if each.part == self._part}
        recipes: dict[Candidate, Recipe[Any]] = {each: self._recipe(each) for each in trained if isinstance(each, int)}
        chosen = self._selection.choose_among(
            [each for each, done in trained.items() if is_trained(recipes.get(each), done)]
        )
        weights, score = ({}, None) if chosen is None else (chosen.weights, chosen.score)
        data = self._plan.search_data()
        for number, recipe in recipes.items():
            expected = recipe.expected_score(trained[number].epochs)
            if expected is not None and (score is None or data.better(expected, score) == expected != score):
                weights, score = {number: 1.0}, expected
        if not weights:
            return retrained
        again = self._retrained(weights, refits)
        best = (
            f"of what was trained, {listed([candidate_name(each) for each in weights])} "
            f"{'is' if len(weights) == 1 else 'are'} best on the folds, and exported"
        )
        notes = tuple(dict.fromkeys([*retrained.notes, best, *again.notes]))
        return replace(again, notes=notes, cut=retrained.cut or again.cut, left_out=retrained.left_out)

    def _refits(self, chosen: Chosen, single: Recipe[Any] | None) -> Refits:
        members, (quick, slow) = list(chosen.weights), self._baselines()
        best, examples = self._ranked()[:1], growths(self._plan)  # the verdict is about the best baseline
        numbers = {each for each in members if isinstance(each, int)} | ({single.number} if single else set())
        first: list[Candidate] = [*members[:1], *best, *members[1:], *quick]
        last: list[Candidate] = [*([single.number] if single else []), *slow]
        exported = [Training(each, EVERYTHING) for each in members] if self._everything else []
        trainings = [
            *(Training(each, self._part) for each in first),
            *exported,
            *(Training(each, self._part) for each in last),
        ]
        return Refits(
            task_of(self._plan),
            self._executor.data.share(EndData(self._plan.whole_data(), self._plan.holdout)),
            list(dict.fromkeys(trainings)),
            always=[Training(each, self._part) for each in (members[0], *best, *quick)],
            recipes={number: self._recipe(number) for number in numbers},
            baseline_seconds=baseline_seconds(self._budget.timeout),
            budget=self._budget,
            listener=self._listener,
            interrupted=self._interrupted,
            growth=examples[-1] / examples[0],
        )

    def _baselines(self) -> tuple[list[str], list[str]]:
        """The quick baselines and the slow ones, of which the best one comes first; slow ones only if scored before."""
        groups, ranked = baseline_groups(self._plan.search_data()), self._ranked()
        slow = {name for group in groups[1:] for name in group}
        return [name for name in groups[0] if name in ranked or not ranked], [name for name in ranked if name in slow]

    def _ranked(self) -> list[str]:
        """The baselines with a score on the folds, the best one first."""
        return ranked_baselines(self._store.record(), minimize=self._plan.direction == "minimize")

    def _export(
        self, chosen: Chosen, retrained: Retrained, single: FinalMember[Any] | None, baselines: dict[str, Refitted]
    ) -> bool:
        self._executor.scale_down(1)  # the other workers have nothing left to do, and their data take memory
        arguments = partial(self._arguments, chosen, retrained, single, baselines)
        outcome = self._job.run("the export", finalize, arguments)
        if outcome is None:
            return False
        if outcome.failure is not None:
            raise RefitFailed(f"the export failed: {outcome.failure.reason}")
        result: FinalResult | None = outcome.result
        if result is None:
            self._listener.on_message(
                "the model that is exported already is kept: what is left of the new blend is worse on the folds"
            )
            return False
        self._record(chosen, retrained, single, result)
        for note in result.notes:
            self._listener.on_message(note)
        return True

    def _arguments(
        self, chosen: Chosen, retrained: Retrained, single: FinalMember[Any] | None, baselines: dict[str, Refitted]
    ) -> tuple[Any, ...]:
        plan, blend = self._plan, self._store.record().blend
        job: FinalJob[Any, Any, Any] = FinalJob(
            data=plan.whole_data(),
            holdout=plan.holdout,
            members=retrained.members,
            single=single,
            baselines=baselines,
            better_unscored=tuple(itertools.takewhile(lambda name: name not in baselines, self._ranked())),
            late=retrained.unscored,
            without_networks=self._without_networks(chosen),
            baseline_calibrations=self._store.get("calibrations", {}),
            least=blend.folds if blend is not None and retrained.is_reduced and self._paths.bundle.exists() else None,
            bundle=self._paths.bundle,
            report=self._paths.report,
            gaps=plan.config.data.gaps,
            provenance=self._provenance(retrained, single),
        )
        return task_of(plan), self._job.share(job)

    def _without_networks(self, chosen: Chosen) -> str:
        record = self._store.record()
        if any(isinstance(each, int) for each in chosen.weights):
            return "No network of the selected blend could be trained again"
        if record.best is not None:
            return "No network improves the baselines on the folds"
        return "No complete network satisfies the bounds" if record.complete else "No network completed"

    def _member(self, candidate: Candidate, weight: float) -> FinalMember[Any]:
        record = self._store.record()
        outputs = self._predictions.read(candidate)
        if isinstance(candidate, str):
            return FinalMember(candidate, weight, record.baselines[candidate].folds, outputs)
        score = next(trial.value for trial in record.trials if trial.number == candidate)
        return FinalMember(candidate, weight, score, outputs, self._recipe(candidate))

    def _single(self) -> Recipe[Any] | None:
        """The best trial alone; ``None`` if no trial is complete."""
        best = self._store.best()
        return None if best is None else self._recipe(best.number)

    def _recipe(self, number: int) -> Recipe[Any]:
        """The trial's specs, with the number of epochs of its refit."""
        return trial_recipe(self._plan, self._store, number, part=self._part)

    def _phase(self, chosen: Chosen) -> str:
        """What happens next, in one line."""
        if len(chosen.weights) == 1:
            (candidate,) = chosen.weights
            if isinstance(candidate, str):
                return f"no blend is better on the folds than {candidate_name(candidate)} alone: scoring the holdout"
            architecture = self._recipe(candidate).model.architecture
            return f"refitting trial {candidate}, {architecture}, and scoring the holdout"
        members = listed([f"{candidate_name(each)} ({weight:.0%})" for each, weight in chosen.weights.items()])
        return f"refitting the blend of {members}, and scoring the holdout"

    def _provenance(self, retrained: Retrained, single: FinalMember[Any] | None) -> dict[str, Any]:
        plan, networks = self._plan, [member.recipe for member in retrained.members if member.recipe]
        late = [candidate_name(each) for each in retrained.late]
        whole = self._everything and len(late) < len(retrained.members)
        return {
            "study": plan.name,
            "study_uid": self._store.get("uid"),
            "trial": self._trial(retrained, single),
            **({"seed": networks[0].train.seed} if len(networks) == 1 else {}),
            "export": self._looks(),
            "data": plan.describe_data(),
            "accelerator": plan.accelerator,
            "refit": self._part,
            "trained_on": EVERYTHING if whole else "before_holdout",
            **({"trained_before_holdout": late} if whole and late else {}),
        }

    def _trial(self, retrained: Retrained, single: FinalMember[Any] | None) -> int | None:
        """The best trial, or one that was stopped and is exported all the same."""
        found = retrained.members[0].candidate if single is None else single.candidate
        return found if isinstance(found, int) else None

    def _looks(self) -> int:
        """How often a model of this study was scored on the holdout, this one included."""
        return int(self._store.get("holdout", {}).get("looks", 0)) + 1

    def _is_exported(self, chosen: Chosen) -> bool:
        """Whether the same members with the same settings are exported already, and more time would change nothing."""
        holdout, exported = self._store.get("holdout"), self._store.get(_EXPORTED)
        if holdout is None or not self._paths.bundle.exists():
            return False
        if exported is None:  # by a version that exported one trial, trained before the holdout
            return list(chosen.weights) == [holdout["trial"]]
        timeout = self._budget.timeout
        longer = timeout is None or (exported["timeout"] is not None and timeout > exported["timeout"])
        return self._settings(chosen.weights) == exported["settings"] and not (exported["cut"] and longer)

    def _settings(self, weights: Mapping[Candidate, float]) -> dict[str, Any]:
        members = [list(each) for each in weights.items()]
        return {"members": members, "refit": self._part, "everything": self._everything}

    def _record(
        self, chosen: Chosen, retrained: Retrained, single: FinalMember[Any] | None, result: FinalResult
    ) -> None:
        store, record, score = self._store, self._store.record(), result.metrics[self._plan.metric]
        holdout = HoldoutRecord(
            trial=self._trial(retrained, single),
            score=score,
            metrics=result.metrics,
            verdict=result.verdict,
            beats_baselines=result.beats_baselines,
            intervals=result.intervals,
            looks=self._looks(),
            score_interval=result.score_interval,
            baseline_intervals=result.baseline_intervals,
        )
        known, none = record.baselines, BaselineRecord(None)  # without scores on the folds if that failed
        scored = {name: replace(known.get(name, none), holdout=score) for name, score in result.baselines.items()}
        store.set("baselines", {name: asdict(each) for name, each in (known | scored).items()})
        store.set("bundle", str(self._paths.bundle))
        if store.get(CHAMPION_ROWS) is not None:
            store.set(CHAMPION_ROWS, None)
            self._listener.on_message(
                "the model of the last refit is replaced by one that has learned from the table of the study alone; "
                "repeat the refit to train it on later rows"
            )
        store.set("blend", self._blend_record(retrained, single, result))
        store.set("holdout", asdict(holdout))
        # Last: a study that has it is finished.
        cut = retrained.cut or bool(retrained.unscored)
        exported = {"settings": self._settings(chosen.weights), "cut": cut, "timeout": self._budget.timeout}
        store.set(_EXPORTED, exported)

    def _blend_record(
        self, retrained: Retrained, single: FinalMember[Any] | None, result: FinalResult
    ) -> dict[str, Any] | None:
        if self._plan.config.search.most_members is None and retrained.members[0].recipe is not None:
            return None
        members = tuple(
            BlendMember(each.weight, each.candidate, None)
            if isinstance(each.candidate, int)
            else BlendMember(each.weight, None, each.candidate)
            for each in retrained.members
        )
        alone = None
        if single is not None and isinstance(single.candidate, int):
            assert single.score is not None  # the best trial is complete
            alone = SingleRecord(single.candidate, single.score, result.single)
        return asdict(BlendRecord(members, result.folds, result.metrics[self._plan.metric], alone))
