"""From a study of any task to its plan."""

from __future__ import annotations

from pathlib import Path

from search.config.study_config import SequenceStudyConfig, StudyConfig
from search.tasks.forecasting.plan import forecast_plan
from search.tasks.plan import Plan
from search.tasks.sequences.plan import sequence_plan


def make_plan(config: StudyConfig, *, study_file: Path | None = None) -> Plan:
    """Read the data of a study and work out everything else.

    Args:
        config: The study.
        study_file: Where it was read from; a relative ``data.path`` may be relative to its folder.

    Raises:
        DataError: The data break a rule.
        StudyFileError: The study does not fit its data.
    """
    if isinstance(config, SequenceStudyConfig):
        return sequence_plan(config, study_file=study_file)
    return forecast_plan(config, study_file=study_file)
