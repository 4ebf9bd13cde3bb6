"""Paths of the files of a study and of its comparison."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

from search.config.types import COMPARISON_SUFFIX

REPORT_PAGE = "report.html"
FORECASTS_TABLE, FORECASTS_PAGE, ATTENTION_TABLE = "forecasts.csv", "forecasts.html", "attention.csv"
NEXT_TABLE, SERIES_TABLE = "next.csv", "series.csv"
PREDICTIONS_TABLE, CONFUSION_TABLE, CLASSES_TABLE = "predictions.csv", "confusion.csv", "classes.csv"
COMPARISON_PAGE, COMPARISON_MARKDOWN, COMPARISON_JSON = "compare.html", "compare.md", "compare.json"
"""Names of the files in the report folder of a study."""

COMPARISON_FILES = (COMPARISON_PAGE, COMPARISON_MARKDOWN, COMPARISON_JSON)

_JOURNAL, _LOCK, _BUNDLE, _REPORT, _PREDICTIONS = ".journal", ".lock", ".bundle", ".report", ".predictions"
_CHALLENGER, _FORMER = ".bundle.challenger", ".bundle.former"
_CHECKPOINT, _STORAGE, _FOLDS = ".checkpoint", ".storage", ".folds"


@dataclass(frozen=True)
class StudyPaths:
    """The files of a study and of its comparison.

    No two studies share a file, because :class:`~search.config.study_config.StudyConfig` refuses the names that would.

    Attributes:
        folder: The working folder, in which ``studies/`` is.
        study: Name of the study.
    """

    folder: Path
    study: str

    @property
    def studies(self) -> Path:
        """The folder that all studies share."""
        return self.folder / "studies"

    @property
    def journal(self) -> Path:
        """Trials and attributes of the study."""
        return self._named(_JOURNAL)

    @property
    def storage(self) -> Path:
        """Names the database in which the study and its comparison are, if they are in one."""
        return self._named(_STORAGE)

    @property
    def lock(self) -> Path:
        """Held by the process that writes the journal."""
        return self._named(_LOCK)

    @property
    def bundle(self) -> Path:
        """Directory of the exported model."""
        return self._named(_BUNDLE)

    @property
    def challenger(self) -> Path:
        """Directory of the model of a refit that is not the champion."""
        return self._named(_CHALLENGER)

    @property
    def former(self) -> Path:
        """Directory of the champion before the last one."""
        return self._named(_FORMER)

    @property
    def refit_report(self) -> Path:
        """Directory of the tables of the last refit."""
        return self.report / "refit"

    @property
    def report(self) -> Path:
        """Directory of the holdout's predictions, the report and the files of the comparison."""
        return report_path(self.bundle)

    @property
    def predictions(self) -> Path:
        """Directory of the out-of-fold outputs of trials and baselines."""
        return self._named(_PREDICTIONS)

    @property
    def folds(self) -> Path:
        """Directory of the finished folds of trials that have not ended."""
        return self._named(_FOLDS)

    @property
    def comparison_journal(self) -> Path:
        """Trials and attributes of the comparison."""
        return self._named(COMPARISON_SUFFIX + _JOURNAL)

    @property
    def comparison_lock(self) -> Path:
        """Held by the process that writes the comparison's journal."""
        return self._named(COMPARISON_SUFFIX + _LOCK)

    @property
    def comparison_folds(self) -> Path:
        """Directory of the finished folds of the comparison's trials that have not ended."""
        return self._named(COMPARISON_SUFFIX + _FOLDS)

    def find_bundle(self, recorded: str | None) -> Path | None:
        """The exported model, also after the working folder was moved or copied; ``None`` if there is none.

        Args:
            recorded: Directory that the study's record names.
        """
        if recorded is None:
            return None
        return next((place for place in (self.bundle, self.folder / recorded) if place.is_dir()), None)

    def _named(self, ending: str) -> Path:
        return self.studies / f"{self.study}{ending}"


def report_path(bundle: Path) -> Path:
    """``studies/weather.report`` beside ``studies/weather.bundle``."""
    return bundle.with_name(bundle.name.removesuffix(_BUNDLE) + _REPORT)


def checkpoint_path(journal: Path) -> Path:
    """``studies/weather.checkpoint`` beside ``studies/weather.journal``."""
    return journal.with_name(journal.name.removesuffix(_JOURNAL) + _CHECKPOINT)


def free_path(path: Path, ending: str) -> Path:
    """``studies/weather.journal.damaged`` for the ending ``.damaged``, or with a number the first that is free."""
    numbers = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    names = (path.with_name(f"{path.name}{ending}{number}") for number in numbers)
    return next(name for name in names if not name.exists())


def studies_in(folder: Path) -> list[str]:
    """Names of the studies that were run in a working folder, sorted."""
    studies = StudyPaths(folder, "").studies
    names = {path.name.removesuffix(ending) for ending in (_JOURNAL, _STORAGE) for path in studies.glob(f"*{ending}")}
    return sorted(name for name in names if not name.endswith(COMPARISON_SUFFIX))
