"""Classification and regression of sequences and texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from search.tasks.base import Task

if TYPE_CHECKING:
    from pathlib import Path

    from search.config.space_config import FamilyConfig
    from search.config.study_config import StudyConfig
    from search.reports.task_pages import TaskPages
    from search.tasks.base import Words
    from search.tasks.sequences.compare import ComparedSequences
    from search.tasks.sequences.plan import SequencePlan


class SequenceTask(Task[Any, Any, Any]):
    """Labels of whole sequences or texts."""

    @property
    def config(self) -> type[StudyConfig]:
        """What a study file of the task holds."""
        from search.tasks.sequences.config import SequenceStudyConfig

        return SequenceStudyConfig

    @property
    def family(self) -> type[FamilyConfig]:
        """What a family of a comparison may hold."""
        from search.tasks.sequences.config import SequenceFamilyConfig

        return SequenceFamilyConfig

    def plan(self, config: StudyConfig, *, study_file: Path | None = None) -> SequencePlan:
        """See :meth:`search.tasks.base.Task.plan`."""
        from search.tasks.sequences.plan import sequence_plan

        return sequence_plan(cast("Any", config), study_file=study_file)

    @property
    def words(self) -> Words:
        """What the command line says of a plan."""
        from search.tasks.sequences import words

        return words

    @property
    def pages(self) -> TaskPages:
        """The task-specific parts of a study's report."""
        from search.tasks.sequences.report import PAGES

        return PAGES

    def compare(self, plan: SequencePlan) -> ComparedSequences:
        """How families of networks are compared."""
        from search.tasks.sequences.compare import ComparedSequences

        return ComparedSequences(plan)


TASK = SequenceTask()
