"""Which trials and baselines a study exports: the blend that is best on the folds, or the best trial alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgru.errors import listed, shorten
from search.config.objectives import measure_text
from search.config.search_config import USUAL_MEMBERS
from search.errors import NoTrialCompleted, RefitFailed
from search.study.blend_records import candidate_name
from search.tasks.blend import BlendJob, Chosen, Selected, select_blend

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from search.run.progress import Listener
    from search.run.single_job import SingleJob
    from search.study.blend_records import Candidate
    from search.study.out_of_fold import Outputs, Predictions
    from search.study.records import StudyRecord, TrialRecord
    from search.study.store import StudyStore
    from search.tasks.plan import Plan

MOST_CANDIDATES = 25
"""Complete trials, the best ones, from which a blend is selected."""
_MOST_NAMED = 8


class BlendSelection:
    """Selects the members of the exported model.

    Args:
        plan: The study's.
        store: Its trials and baselines.
        predictions: Their out-of-fold outputs.
        job: Runs the selection.
        listener: Receives messages.

    Attributes:
        candidates: Those with out-of-fold outputs, the simplest one first; empty before a selection.
    """

    def __init__(
        self, plan: Plan, store: StudyStore, predictions: Predictions, job: SingleJob, listener: Listener
    ) -> None:
        self._plan, self._store, self._predictions = plan, store, predictions
        self._job, self._listener = job, listener
        self.candidates: tuple[Candidate, ...] = ()

    def choose(self) -> Chosen | None:
        """The members with their weights; ``None`` if the selection was interrupted.

        Raises:
            NoTrialCompleted: There is nothing to export.
            RefitFailed: The selection failed.
        """
        most, record = self._most, self._store.record()
        if most is None:
            return self._alone(record)
        candidates = self._candidates(record)
        self.candidates = tuple(each for each in candidates if self._read([each]))
        found = self._select(record, most, self.candidates) if self.candidates else Selected(None)
        if found is None:
            return None
        self._say_missing([each for each in candidates if each not in self.candidates or each in found.unusable])
        winner = record.best
        if found.chosen is None or (winner is not None and self._is_beaten(found, winner)):
            return self._alone(record)
        return found.chosen

    def choose_among(self, candidates: Collection[Candidate]) -> Chosen | None:
        """The best blend of some of the candidates, once others cannot be members; ``None`` if there is none."""
        record, most = self._store.record(), self._most
        known = [each for each in self.candidates if each in candidates]
        found = None if most is None or not known else self._select(record, most, known)
        return None if found is None else found.chosen

    @property
    def _most(self) -> int | None:
        """Most members; ``None``: a trial is exported alone."""
        search = self._plan.config.search
        if search.blend == "auto" and self._store.winner() is None:
            return USUAL_MEMBERS  # of several objectives, too: all of them are baselines
        return search.most_members

    def _alone(self, record: StudyRecord) -> Chosen:
        winner = self._store.winner()
        if winner is None:
            raise NoTrialCompleted(why_nothing_to_export(record))
        value = next(trial.value for trial in record.trials if trial.number == winner.number)
        return Chosen({winner.number: 1.0}, float("nan") if value is None else value)

    def _candidates(self, record: StudyRecord) -> list[Candidate]:
        """Baselines, then the best complete trials within the bounds, and members of the exported blend."""
        trials = [trial for trial in record.complete if not record.broken(trial)][:MOST_CANDIDATES]
        best = {trial.number for trial in trials} | {each for each in self._earlier(record) if isinstance(each, int)}
        chosen = [trial for trial in record.complete if trial.number in best]
        simplest = sorted(chosen, key=lambda trial: (trial.n_parameters or 0, trial.number))
        return [*record.baselines, *(trial.number for trial in simplest)]

    def _read(self, candidates: Sequence[Candidate]) -> dict[Candidate, Outputs]:
        """The out-of-fold outputs; not kept here, because those of all candidates may be as large as the data."""
        read = {each: self._predictions.read(each) for each in candidates}
        return {each: outputs for each, outputs in read.items() if outputs is not None}

    def _select(self, record: StudyRecord, most: int, candidates: Sequence[Candidate]) -> Selected | None:
        plan = self._plan

        def arguments() -> tuple[Any, ...]:
            job = BlendJob(
                data=plan.search_data(),
                outputs=self._read(candidates),
                costs={trial.number: trial.measures for trial in record.complete if trial.number in candidates},
                bounds=plan.config.search.bounds,
                members=most,
                earlier=self._earlier(record) or None,
            )
            return (self._job.share(job),)

        outcome = self._job.run("the selection of a blend", select_blend, arguments)
        if outcome is None:
            return None
        if outcome.failure is not None:
            raise RefitFailed(f"the selection of a blend failed: {outcome.failure.reason}")
        found: Selected = outcome.result
        return found

    def _is_beaten(self, found: Selected, winner: TrialRecord) -> bool:
        """Whether a trial without outputs, of an earlier version of the program, is at least as good as the blend."""
        known = winner.number in self.candidates and winner.number not in found.unusable
        if known or found.chosen is None or winner.value is None:
            return False
        sign = 1 if self._plan.direction == "minimize" else -1
        return sign * winner.value <= sign * found.chosen.score

    def _earlier(self, record: StudyRecord) -> dict[Candidate, float]:
        """The members of the blend that was exported before."""
        return {} if record.blend is None else {each.candidate: each.weight for each in record.blend.members}

    def _say_missing(self, missing: Sequence[Candidate]) -> None:
        if missing:
            names = shorten([candidate_name(each) for each in missing], _MOST_NAMED)
            self._listener.on_message(f"no blend can hold {names}, whose predictions for the folds were not kept")


def why_nothing_to_export(record: StudyRecord) -> str:
    """The reason a finished study has no winner."""
    if record.complete:
        return _why_none_is_within_the_bounds(record)
    reasons = [trial.reason for trial in record.trials if trial.reason]
    if not reasons:
        return "no trial ended within the budget; rerun with a longer --timeout"
    most = max(set(reasons), key=reasons.count)
    if len(set(reasons)) == 1:
        return f"no trial completed: {most}"
    return f"no trial completed; the most frequent reason ({reasons.count(most)} of {len(reasons)} trials): {most}"


def _why_none_is_within_the_bounds(record: StudyRecord) -> str:
    """The reason, with the trial closest to the bounds."""
    goal = record.goal
    nearest = min(
        record.complete,
        key=lambda trial: max(bound.violation(trial.measures[bound.name]) for bound in goal.broken(trial.measures)),
    )
    broken = goal.broken(nearest.measures)
    bounds = listed([str(bound) for bound in broken])
    has = listed([f"{bound.name} {measure_text(bound.name, nearest.measures[bound.name])}" for bound in broken])
    return (
        f"none of {len(record.complete)} complete trials satisfies {bounds}: the closest is trial {nearest.number}, "
        f"{nearest.layers}, with {has}; run more --trials, search smaller networks, or relax search.bounds under "
        "another name (--set name=... --set search.warm_start="
        f"{record.study})"
    )
