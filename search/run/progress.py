"""Progress of a run: printed by the command line, ignored by the Python API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from search.study.records import StudyRecord, TrialRecord

if TYPE_CHECKING:
    from search.tasks.plan import Plan


@dataclass(frozen=True)
class Progress:
    """The progress of a study.

    Attributes:
        done: Trials that ended, over all runs of the study.
        total: Number of trials that the study should have; ``None``: as many as fit into the time.
        running: Trials running now.
        best: The best complete trial.
        elapsed: Seconds of this run.
        seconds_left: Estimated time to the end of the search; ``None`` before the first trial ended.
        workers: Number of workers that were asked for.
        ready: Workers that have started.
        baseline: Name and score on the folds of the best baseline; ``None`` before one is scored.
        ahead: Whether the best trial is better than that.
        pruned: Trials that were stopped before their end.
        promoted: Trials that continue a stopped one.
    """

    done: int
    total: int | None
    running: tuple[TrialRecord, ...]
    best: TrialRecord | None
    elapsed: float
    seconds_left: float | None
    workers: int = 1
    ready: int = 1
    baseline: tuple[str, float] | None = None
    ahead: bool = False
    pruned: int = 0
    promoted: int = 0


class Listener(Protocol):
    """Receives the progress of a run; every method returns quickly."""

    def on_plan(self, plan: Plan, study: StudyRecord) -> None:
        """The study is open: what will be run, and the trials that already exist."""

    def on_phase(self, text: str) -> None:
        """A step other than a trial starts: ``refitting lstm(64) …``."""

    def on_progress(self, progress: Progress) -> None:
        """Called several times a second while trials run."""

    def on_trial(self, trial: TrialRecord, progress: Progress) -> None:
        """A trial ended."""

    def on_message(self, text: str) -> None:
        """A note to the user that requires no immediate action."""


class SilentListener:
    """Ignores everything."""

    def on_plan(self, plan: Plan, study: StudyRecord) -> None:
        """Ignored."""

    def on_phase(self, text: str) -> None:
        """Ignored."""

    def on_progress(self, progress: Progress) -> None:
        """Ignored."""

    def on_trial(self, trial: TrialRecord, progress: Progress) -> None:
        """Ignored."""

    def on_message(self, text: str) -> None:
        """Ignored."""
