"""A study in Python: its trials, its model, its charts, and what the holdout says of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from search.errors import SearchError
from search.tasks.stored_study import store_of

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pandas as pd

    from lstmgru.bundle.base import Bundle
    from lstmgru.runtime.predictor import Predictor
    from search.reports.plots import Plot
    from search.reports.task_pages import TaskPages
    from search.study.blend_records import BlendRecord, Candidate
    from search.study.records import BaselineRecord, HoldoutRecord, StudyRecord, TrackingLinks, TrialRecord
    from search.study.refit_records import RefitRecord
    from search.study.store import StudyStore


class StudyResult:
    """A study that was run, as it was when it was read; :meth:`refresh` reads it again.

    ``run_study`` and ``load_study`` return it. Attributes have the names of the keys of ``show --json``, except that
    ``name`` is the key ``study``, and ``trials`` is a data frame. A notebook shows the verdict and the leaderboard.

    Args:
        record: Everything that is stored of the study, as plain values.
        folder: The working folder, in which ``studies/`` is.
        interrupted: Whether the run was stopped with Ctrl-C.
        storage: Where it was read from, if it was not begun there; ``None``: where its settings say.

    Attributes:
        record: As given.
        folder: As given.
        interrupted: As given.
    """

    def __init__(
        self, record: StudyRecord, folder: Path, *, interrupted: bool = False, storage: str | None = None
    ) -> None:
        self.record = record
        self.folder = folder
        self.interrupted = interrupted
        self._given_storage = storage
        self._model: Bundle | None = None
        self._predictor: Predictor | None = None

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.record.study

    @property
    def task(self) -> str:
        """``forecast``, ``classification`` or ``regression``."""
        return self.record.task

    @property
    def metric(self) -> str:
        """Name of the score: ``mae``."""
        return self.record.metric

    @property
    def direction(self) -> str:
        """``minimize`` or ``maximize``."""
        return self.record.direction

    @property
    def trials(self) -> pd.DataFrame:
        """One row per trial: state, score, scores of the folds, costs, and parameters.

        :data:`search.reports.frames.TRIAL_COLUMNS` describes the columns.
        """
        from search.reports.frames import trials_frame

        return trials_frame(self.record)

    @property
    def leaderboard(self) -> pd.DataFrame:
        """The blend, complete trials and baselines, best first.

        :func:`search.reports.leaderboard.leaderboard_frame` describes the columns.
        """
        from search.reports.leaderboard import leaderboard_frame

        return leaderboard_frame(self.record)

    @property
    def best(self) -> TrialRecord | None:
        """The best complete trial within the bounds, with ``layers`` and ``params``; ``None`` if there is none."""
        return self.record.best

    @property
    def baselines(self) -> dict[str, BaselineRecord]:
        """Scores of the baselines on the folds and on the holdout, by name."""
        return self.record.baselines

    @property
    def holdout(self) -> HoldoutRecord | None:
        """Score, all metrics and coverage of the exported model on the holdout; ``None`` before it is scored."""
        return self.record.holdout

    @property
    def holdout_scores(self) -> pd.DataFrame:
        """The exported model, named ``model``, and the baselines on the holdout, best first, with 95% intervals.

        :func:`search.reports.frames.holdout_frame` describes the columns.
        """
        from search.reports.frames import holdout_frame

        return holdout_frame(self.record)

    @property
    def verdict(self) -> str | None:
        """One sentence on whether the model beats the best baseline on the holdout; ``None`` before it is scored."""
        return self.record.holdout.verdict if self.record.holdout else None

    @property
    def beats_baselines(self) -> bool | None:
        """Whether the model is significantly better than the best baseline; ``None`` before the holdout is scored."""
        return self.record.holdout.beats_baselines if self.record.holdout else None

    @property
    def blend(self) -> BlendRecord | None:
        """The exported blend with its scores; ``None`` before the end, and if blends are off."""
        return self.record.blend

    @property
    def weights(self) -> dict[Candidate, float]:
        """Weights of the members of the exported model, the largest first.

        A key is the number of a trial or the name of a baseline. Empty before the model is exported.
        """
        return self.record.weights

    @property
    def refits(self) -> tuple[RefitRecord, ...]:
        """Trainings of the model on later tables, first to last."""
        return self.record.refits

    @property
    def bundle(self) -> Path | None:
        """Directory of the exported model; ``None`` before the export."""
        return Path(self.record.bundle) if self.record.bundle else None

    @property
    def mlflow(self) -> TrackingLinks | None:
        """Where MLflow has the study; ``None`` if it does not."""
        return self.record.mlflow

    @property
    def model(self) -> Bundle:
        """The exported model.

        Raises:
            SearchError: The study has no exported model.
            BundleError: The model is damaged.
        """
        if self._model is None:
            from lstmgru.bundle.load import load_bundle

            self._model = load_bundle(self._exported())
        return self._model

    def predict(
        self, frame: pd.DataFrame, *, levels: Sequence[float] | None = None, horizon: int | None = None
    ) -> pd.DataFrame:
        """Forecast the steps after the end of each series, or label each sequence, as the command ``predict`` does.

        ONNX Runtime computes the model if its export proved that it gives the same results to 1e-5, else PyTorch.

        Args:
            frame: A table with the input columns of the model; for forecasts, with at least one context of rows per
                series.
            levels: Levels of the prediction intervals of forecasts; ``None``: those of the model.
            horizon: Number of steps to forecast; ``None``: all that the model was trained for.

        Raises:
            SearchError: The study has no exported model.
            BundleError: The model is damaged.
            DataError: Columns, frequency, length, levels or horizon do not match.
        """
        if self._predictor is None:
            from lstmgru.bundle.engines import open_model

            self._predictor = open_model(self._exported())
        return self._predictor.predict(frame, levels=levels, horizon=horizon)

    def _exported(self) -> Path:
        if self.bundle is None or not self.bundle.is_dir():
            raise SearchError(f"study '{self.name}' has no exported model; run it to completion first")
        return self.bundle

    @property
    def plots(self) -> list[str]:
        """Names of the plots of the study."""
        from search.reports.plots import plot_names

        return plot_names(self.record, self._pages)

    def plot(self, name: str = "holdout", *, series: str | None = None, target: str | None = None) -> Plot:
        """A chart of the study, which a notebook shows as a picture, and ``save`` writes to a file.

        Args:
            name: One of :attr:`plots`; :data:`search.reports.plots.PLOTS` describes them.
            series: Of a panel, the series whose forecasts are drawn; ``None``: the first one.
            target: The target whose forecasts are drawn; ``None``: the first one.

        Raises:
            SearchError: There is no such plot, or what it shows is not there yet.
            DataError: There is no such series or target, or a table of the holdout is damaged.
        """
        from search.reports.plots import study_plot

        store = self._store()
        return study_plot(name, store.record(), store.study, self._pages, series=series, target=target)

    def report(self, output: str | os.PathLike[str] | None = None) -> Path:
        """Write the HTML report of the study as it is now.

        Args:
            output: File to write; ``None``: ``studies/<name>.report/report.html``.

        Returns:
            The file.

        Raises:
            StudyNotFound: The study is no longer there.
            SearchError: The file cannot be written.
        """
        from search.reports.report import write_report

        return write_report(self._store(), self._pages, None if output is None else Path(output))

    def refresh(self) -> Self:
        """Read the study again, while it is running or after it was resumed or refitted, and return it.

        Raises:
            StudyNotFound: It is no longer there.
        """
        self.record = self._store().record()
        self._model = self._predictor = None
        return self

    def to_json(self) -> dict[str, Any]:
        """The object that ``show --json`` prints."""
        return self.record.to_json()

    @property
    def _pages(self) -> TaskPages:
        from search.tasks import find_task

        pages: TaskPages = find_task(self.task).pages
        return pages

    @property
    def _storage(self) -> str | None:
        own: str | None = self.record.config.get("search", {}).get("storage")
        return self._given_storage or own

    def _store(self) -> StudyStore:
        return store_of(self.name, self.folder, self._storage)

    def __repr__(self) -> str:
        counts = ", ".join(self.record.counted_states) or "no trials"
        best = f", best={self.best.value:.4g}" if self.best and self.best.value is not None else ""
        scored = f", holdout={self.holdout.score:.4g}, beats_baselines={self.beats_baselines}" if self.holdout else ""
        return f"StudyResult(name={self.name!r}, trials=[{counts}], metric={self.metric!r}{best}{scored})"

    def _repr_html_(self) -> str:
        from search.reports.notebook import study_html

        return study_html(self.record, self._pages)
