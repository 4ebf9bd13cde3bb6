"""A tracker that works in the background: the search neither waits for it nor sees it fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from search.errors import TrackingError
from search.study.records import BaselineRecord, StudyRecord, TrackingLinks, TrialRecord
from search.tracking.base import RunStatus, Tracker

if TYPE_CHECKING:
    from optuna import Study

_LONGEST_PAUSE = 30.0
# After Ctrl-C the prompt should return soon; `sync` delivers the rest.
_PATIENCE_AFTER_INTERRUPT = 3.0


class BackgroundTracker:
    """Forwards to another tracker in a separate thread, and leaves it once everything was delivered.

    Only the newest record of each trial is forwarded. When the other tracker fails, the newest records are kept, and
    after a pause it is started again and receives everything once more; it must therefore be idempotent.

    Args:
        tracker: The tracker that does the work; it raises ``TrackingError`` on an outage.
        on_message: Called in the thread, once when an outage begins and once when it ends.
        interval: Seconds between two deliveries.
        patience: Seconds that :meth:`finish` and leaving together wait for the last delivery if there is no outage;
            at most 3 after an interruption.
    """

    def __init__(
        self,
        tracker: Tracker,
        on_message: Callable[[str], None],
        *,
        interval: float = 2.0,
        patience: float = 60.0,
    ) -> None:
        self._tracker, self._on_message = tracker, on_message
        self._interval, self._patience = interval, patience
        self._changed = threading.Condition()
        self._study: StudyRecord | None = None
        self._latest: dict[int, TrialRecord] = {}
        self._pending: set[int] = set()
        self._baselines: dict[str, BaselineRecord] | None = None
        self._tasks: list[Callable[[], object]] = []
        self._begun = False
        self._deadline: float | None = None
        self._failures_in_a_row = 0
        self._failures = 0
        self._hurry = False
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)

    def start(self, study: StudyRecord) -> None:
        """Show the study as running, in the background."""
        with self._changed:
            self._study = study
            self._latest = {trial.number: trial for trial in study.trials}
            self._hurry = True
            self._changed.notify_all()
        self._thread.start()

    def update(self, trial: TrialRecord) -> None:
        """Show this record of the trial, unless a newer one arrives before the next delivery."""
        with self._changed:
            self._latest[trial.number] = trial
            self._pending.add(trial.number)
            self._changed.notify_all()

    def show_baselines(self, baselines: Mapping[str, BaselineRecord]) -> None:
        """Show these scores, in the background."""
        with self._changed:
            self._baselines = dict(baselines)
            self._changed.notify_all()

    def log_model(self, bundle: Path, study: StudyRecord) -> None:
        """Show the model, in the background."""
        self._add(lambda: self._tracker.log_model(bundle, study))

    def finish(
        self, study: StudyRecord, *, status: RunStatus, optuna_study: Study | None = None
    ) -> TrackingLinks | None:
        """Show the outcome of the study, and wait until it is delivered or an outage prevents it."""
        patience = min(self._patience, _PATIENCE_AFTER_INTERRUPT) if status == "KILLED" else self._patience
        self._deadline = time.monotonic() + patience
        self._add(lambda: self._tracker.finish(study, status=status, optuna_study=optuna_study))
        if not self.wait(patience):
            self._deadline = time.monotonic()
        return self.links()

    def links(self) -> TrackingLinks | None:
        """Links to the known runs."""
        return self._tracker.links()

    def wait(self, timeout: float) -> bool:
        """Deliver now; return whether everything was delivered.

        Waits for one more attempt during an outage, otherwise for two: a database may be locked for a moment.

        Args:
            timeout: Maximum number of seconds.
        """
        with self._changed:
            enough = self._failures + (1 if self._failures_in_a_row else 2)
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._idle() or self._failures >= enough or not self._thread.is_alive(), timeout
            )
            return self._idle()

    def close(self, timeout: float) -> bool:
        """Deliver what can be delivered in that time, then stop; return whether everything was delivered.

        Args:
            timeout: Maximum number of seconds.
        """
        delivered = self.wait(timeout)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if delivered:
            self._tracker.__exit__(None, None, None)
        elif self._study is not None:
            name = self._study.study
            self._on_message(
                f"MLflow does not have the whole study yet; copy the rest with: python -m search sync {name}"
            )
        return delivered

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        interrupted = isinstance(exc_info[1], BaseException) and not isinstance(exc_info[1], Exception)
        if self._study is not None and self._deadline is None:
            self.finish(self._newest(self._study), status="KILLED" if interrupted else "FAILED")
        left = 0.0 if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        self.close(min(left, _PATIENCE_AFTER_INTERRUPT) if interrupted else left)

    def _add(self, task: Callable[[], object]) -> None:
        with self._changed:
            self._tasks.append(task)
            self._hurry = True
            self._changed.notify_all()

    def _idle(self) -> bool:
        return self._begun and not self._pending and self._baselines is None and not self._tasks

    def _work(self) -> None:
        while self._wait_for_work():
            try:
                self._deliver()
            except TrackingError as error:
                self._on_failure(error)
            else:
                self._on_success()

    def _wait_for_work(self) -> bool:
        """Sleep until the next delivery is due; return ``False`` when there will be none."""
        pause = min(self._interval * 2 ** max(0, self._failures_in_a_row - 1), _LONGEST_PAUSE)
        due = time.monotonic() + pause
        with self._changed:
            while not self._closed:
                left = due - time.monotonic()
                if self._hurry or (left <= 0 and not self._idle()):
                    self._hurry = False
                    return True
                self._changed.wait(left if left > 0 else None)
            return False

    def _deliver(self) -> None:
        """Forward everything that is new.

        Raises:
            TrackingError: From the other tracker; what was not delivered stays pending.
        """
        if not self._begun:
            self._begin()
        self._forward_baselines()
        while (trial := self._next()) is not None:
            self._tracker.update(trial)
            with self._changed:
                if self._latest[trial.number] is trial:
                    self._pending.discard(trial.number)
        self._do_tasks()

    def _forward_baselines(self) -> None:
        """Forward the scores of the baselines if there are new ones; on an outage they stay pending."""
        if (baselines := self._baselines) is None:
            return
        self._tracker.show_baselines(baselines)
        with self._changed:
            if self._baselines is baselines:
                self._baselines = None

    def _do_tasks(self) -> None:
        """Do every task that can be done: a model that cannot be logged must not prevent the end of the study.

        Raises:
            TrackingError: The first error of a task.
        """
        problem: TrackingError | None = None
        for task in list(self._tasks):
            try:
                task()
            except TrackingError as error:
                problem = problem or error
                continue
            with self._changed:
                self._tasks.remove(task)
        if problem is not None:
            raise problem

    def _begin(self) -> None:
        with self._changed:
            if self._study is None:
                raise RuntimeError("start() must be called before any other method of a tracker")
            study = self._newest(self._study)
        self._tracker.start(study)
        with self._changed:
            self._begun = True
            for trial in study.trials:
                if self._latest[trial.number] is trial:
                    self._pending.discard(trial.number)

    def _newest(self, study: StudyRecord) -> StudyRecord:
        return replace(study, trials=tuple(self._latest[number] for number in sorted(self._latest)))

    def _next(self) -> TrialRecord | None:
        with self._changed:
            if self._closed or not self._pending:
                return None
            return self._latest[min(self._pending)]

    def _on_failure(self, error: TrackingError) -> None:
        with self._changed:
            self._failures += 1
            self._failures_in_a_row += 1
            self._begun = False
            self._changed.notify_all()
        if self._failures_in_a_row == 1:
            self._on_message(f"{error}; the search continues, and delivery is retried")

    def _on_success(self) -> None:
        with self._changed:
            recovered = self._failures_in_a_row > 0
            self._failures_in_a_row = 0
            self._changed.notify_all()
        if recovered:
            self._on_message("MLflow is available again and up to date")
