"""Comparisons of tiny studies in this process, a part at a time, and candidates that are retrained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from helpers.drivers import NUMBERS, Notes, in_process, plan_of
from helpers.sequence_studies import NOTES, SUMS, WAVES, write_label_study
from lstmgru.specs import ModelSpec, SequenceModelSpec, parse_branches
from search.compare.families import family_plan, study_families
from search.compare.family_search import FamilySearch
from search.compare.seeds import Retraining
from search.compare.store import ComparisonStore, open_comparison
from search.compare.summary import best_trials
from search.space.space import Settings
from search.study.journal import open_storage
from search.study.paths import StudyPaths
from search.study.storages import place_of
from search.study.store import StudyStore
from search.tasks.final_steps import RefitCandidate
from search.tasks.forecasting.plan import ForecastPlan
from search.tasks.plan import Plan
from search.tasks.sequences.plan import SequencePlan

LABEL_STUDIES = {"waves": WAVES, "notes": NOTES, "sums": SUMS}
TWO = (
    NUMBERS.replace("cell: gru", "cell: [lstm, gru]") + "compare: {families: {lstm: {cell: lstm}, gru: {cell: gru}}}\n"
)
"""Two families of forecasts whose trials take a tenth of a second."""
TWO_OF_WAVES = (
    WAVES.replace("max_epochs: 12", "max_epochs: 2").replace("preset: small", "preset: small\n  cell: [lstm, gru]")
    + "tracking: {enabled: false}\ncompare: {families: {lstm: {cell: lstm}, gru: {cell: gru}}}\n"
)
"""The same for a classification of sequences; needs :func:`write_label_study`."""


def label_plan_of(folder: Path, text: str = WAVES, *overrides: str) -> SequencePlan:
    """A study of labels, with its table in the folder."""
    write_label_study(folder, text)
    plan = plan_of(folder, *overrides, text=text)
    assert isinstance(plan, SequencePlan)
    return plan


def label_candidate_of(plan: SequencePlan, refit: str = "all", epochs: int = 3, **spec: Any) -> RefitCandidate:
    """A small network for a study of labels, trained for a few epochs."""
    usual: dict[str, Any] = {"max_length": 14, "pooling": "max"}
    if plan.sequences.is_text:
        usual |= {"tokens": "word", "embedding_size": 4, "normalization": "none"}
    model = SequenceModelSpec(parse_branches("gru(6)"), **(usual | spec))
    loss = "cross_entropy" if plan.labels.classes else "mse"
    train = replace(plan.train_spec(Settings(0.02, 8, 0.0, "adamw", "constant", loss), seed=0), max_epochs=epochs)
    return replace(RefitCandidate.of_plan(plan, model, train), refit=refit)


def forecast_candidate_of(plan: ForecastPlan, refit: str = "all") -> RefitCandidate:
    """A small network for a forecasting study, trained for a few epochs."""
    model = ModelSpec(parse_branches("gru(4)"), context_length=7)
    train = replace(plan.train_spec(Settings(0.01, 32, 0.0, "adamw", "constant", "mae"), seed=0), max_epochs=3)
    return replace(RefitCandidate.of_plan(plan, model, train), refit=refit)


class StoppedSearch(FamilySearch):
    """Is interrupted in the first epoch of a trial of a family."""

    stop_in: tuple[str, int] | None = None

    def on_report(self, key: int, message: Any) -> None:
        """Passed on."""
        super().on_report(key, message)
        name = list(self._families)[key // 10_000_000]
        if self.stop_in == (name, key % 10_000_000):
            self.interrupted = True


class StoppedRetraining(Retraining):
    """Is interrupted when so many trainings have ended."""

    stop_after = 10**9

    def on_outcome(self, outcome: Any) -> None:
        """Passed on."""
        super().on_outcome(outcome)
        self.stop_after -= 1
        self.interrupted = self.stop_after <= 0


class _Trained(Notes):
    """Keeps which trainings ended."""

    def __init__(self) -> None:
        super().__init__()
        self.trained: list[str] = []

    def on_phase(self, text: str) -> None:
        """Kept."""
        self.trained.append(text.partition(":")[0])


def opened(folder: Path, *overrides: str, text: str = TWO, notes: Notes | None = None) -> tuple[Plan, ComparisonStore]:
    """The comparison, as a run finds it."""
    plan = plan_of(folder, *overrides, text=text)
    plans = {family: family_plan(plan, family) for family in study_families(plan)}
    paths = StudyPaths(folder, plan.name)
    paths.comparison_journal.parent.mkdir(exist_ok=True)
    study = StudyStore.load(open_storage(paths.journal), plan.name) if paths.journal.exists() else None
    return plan, open_comparison(plan, plans, study, place_of(paths).comparison(), notes or Notes())


def searched(
    folder: Path,
    limit: int | None = 3,
    *overrides: str,
    stop_in: tuple[str, int] | None = None,
    time_left: Callable[[], float] = lambda: math.inf,
    text: str = TWO,
) -> ComparisonStore:
    """The comparison after its search, or a part of it."""
    _, store = opened(folder, *overrides, text=text)
    with in_process() as executor:
        families = StoppedSearch(
            store.families,
            executor,
            limit=limit,
            time_left=time_left,
            note_time=lambda: None,
            folds=folder / "folds",
            listener=Notes(),
        )
        families.stop_in = stop_in
        families.run()
    return store


def retrained(
    folder: Path, seeds: int, *, stop_after: int = 10**9, time_left: float = math.inf, text: str = TWO
) -> tuple[Plan, ComparisonStore, list[str]]:
    """The comparison after its retraining, or a part of it, and which trainings ended."""
    plan, store = opened(folder, text=text)
    watch = _Trained()
    with in_process() as executor:
        retraining = StoppedRetraining(
            plan,
            best_trials(store),
            executor,
            seeds=seeds,
            time_left=lambda: time_left,
            note_time=lambda: None,
            listener=watch,
        )
        retraining.stop_after = stop_after
        retraining.run()
    return plan, store, watch.trained


def told(store: ComparisonStore) -> dict[str, list[tuple[Any, ...]]]:
    """What there is of each family's trials."""
    return {
        name: [(trial.number, trial.state, trial.params, trial.value) for trial in trials]
        for name, trials in store.records().items()
    }


def states(store: ComparisonStore) -> dict[str, list[str]]:
    """How the trials of each family ended."""
    return {
        each.name: [trial.state.name for trial in each.store.study.get_trials(deepcopy=False)]
        for each in store.families
    }
