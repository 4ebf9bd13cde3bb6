"""The task-specific parts of the report of a study of sequence classification or regression."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgru.errors import DataError
from search.config.space_values import Choices
from search.reports.formatting import counted, scored
from search.reports.holdout.prediction_tables import ClassScore, read_class_scores
from search.reports.task_pages import searched_space
from search.study.paths import CLASSES_TABLE, PREDICTIONS_TABLE, report_path
from search.tasks.sequences.diagram import SequenceRoles, describe_predictor
from search.tasks.sequences.presets import OF_CLASSES, OF_NUMBERS, OF_TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgru.specs import SequenceModelSpec
    from search.reports.charts.chart import Chart
    from search.reports.diagram.boxes import Network
    from search.space.space import SearchSpace, Settings
    from search.study.records import HoldoutRecord, StudyRecord


class SequencePages:
    """See :class:`search.reports.task_pages.TaskPages`."""

    outputs = "predictions"

    def summary(self, study: StudyRecord) -> str:
        """One sentence on what is predicted and how it is scored."""
        target, subjects = study.config.get("data", {}).get("target"), f"{_subject(study)}s"
        if _is_classification(study):
            of_target = f" of {target}" if target else ""
            return f"Classifies {subjects} into {study.data.get('classes')} classes{of_target}, {scored(study)}"
        return f"Predicts {target or 'a number'} from {subjects}, {scored(study)}"

    def settings(self, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The splits."""
        splits, data = config.get("splits", {}), config.get("data", {})
        if splits:
            folds = f"{counted(splits.get('folds', 0), 'fold')}, seed {splits.get('seed')}"
            groups = f"; each {data['group']} is on one side of a split" if data.get("group") else ""
            yield "splits", f"{folds}; the holdout is {_holdout(splits, data)}{groups}"

    def search_space(self, identity: Mapping[str, Any]) -> SearchSpace:
        """The search space of a study, presets filled in."""
        from search.tasks.sequences.config import SequenceSpaceConfig

        # Sequences of numbers have no tokens.
        unset = {"tokens": Choices((None,))}
        return searched_space(identity, SequenceSpaceConfig, unset=unset)

    def network(self, model: SequenceModelSpec, study: StudyRecord) -> Network:
        """The boxes of a network's diagram."""
        return describe_predictor(model, SequenceRoles.of_study(study.config, study.data))

    def unused_settings(self, model: SequenceModelSpec, settings: Settings) -> frozenset[str]:
        """Settings of texts or of numbers, and of classifiers if the model is none."""
        of_data = OF_TEXTS if model.tokens is None else OF_NUMBERS
        of_loss = () if settings.loss == "cross_entropy" else OF_CLASSES
        return frozenset({*of_data, *of_loss})

    def holdout_metrics(self, holdout: HoldoutRecord) -> str:
        """There are no prediction intervals."""
        return ""

    def latest(self, study: StudyRecord, folder: Path) -> str:
        """Nothing: the order of labels has no meaning."""
        return ""

    def outputs_chart(
        self, study: StudyRecord, folder: Path, *, series: str | None = None, target: str | None = None
    ) -> Chart:
        """Predicted against actual values, or the reliability of the probabilities."""
        if series is not None or target is not None:
            raise DataError("the predictions have no series and only one target; leave series and target out")
        if _is_classification(study):
            from search.reports.holdout.classes import read_holdout_classes, reliability_chart

            return reliability_chart(read_holdout_classes(folder))
        from search.reports.holdout.prediction_tables import read_predicted_values
        from search.reports.holdout.values import values_chart

        return values_chart(read_predicted_values(folder / PREDICTIONS_TABLE), _subject(study))

    def holdout_section(self, study: StudyRecord, folder: Path) -> str:
        """Predictions against actual labels."""
        if _is_classification(study):
            from search.reports.holdout.classes import classes_html

            return classes_html(folder, _subject(study))
        from search.reports.holdout.values import values_html

        return values_html(folder, _subject(study))

    def class_scores(self, study: StudyRecord) -> tuple[ClassScore, ...]:
        """Scores of each class on the holdout; see :meth:`search.reports.task_pages.TaskPages.class_scores`."""
        if study.bundle is None or study.holdout is None or not _is_classification(study):
            return ()
        try:
            return read_class_scores(report_path(Path(study.bundle)) / CLASSES_TABLE)
        except FileNotFoundError:
            return ()


PAGES = SequencePages()


def _is_classification(study: StudyRecord) -> bool:
    return study.task == "classification"


def _subject(study: StudyRecord) -> str:
    """``sequence`` or ``text``."""
    # Only sequences of numbers have rows, one for each step.
    return "sequence" if "rows" in study.data else "text"


def _holdout(splits: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    if splits.get("holdout") is not None:
        return f"{splits['holdout']:g} of the data"
    return "the test part" if data.get("test") else "the test part of the data, or a share if there is none"
