"""Exported models: whether that of a refit becomes champion, and how their directories are moved and copied."""

from __future__ import annotations

import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lstmgru.bundle.files import replacing
from lstmgru.evaluation.decimals import fixed
from lstmgru.evaluation.metrics import find_metric
from search.errors import SearchError
from search.reports.formatting import decimals_of_scores
from search.tasks.verdict import same

if TYPE_CHECKING:
    from search.study.paths import StudyPaths
    from search.study.refit_records import Promotion
    from search.tasks.final_job import Rival


_TOLERATED = 0.1
"""Share by which a score may be worse where there are too few rows for a test."""
_SAME = 1e-5
"""Share by which the scores of one model may differ, as with other batches or another thread count."""


@dataclass(frozen=True)
class Decision:
    """Whether the new model becomes champion.

    Attributes:
        promoted: Whether it does.
        reason: Why, a sentence.
    """

    promoted: bool
    reason: str


def decide(
    rule: Promotion, metric: str, score: float, rival: Rival | None, more: str, *, all_new: bool = False
) -> Decision:
    """Whether the new model becomes champion.

    It has learned from more data, so that it is enough that its recipe is not significantly worse than the champion on
    rows that neither has learned from; with too few of them for a test, that its score is at most a tenth worse.

    Args:
        rule: What the user wants.
        metric: Name of the score.
        score: Of the recipe on the last new rows, trained before them.
        rival: The champion on the same rows; ``None``: there are too few new rows to score.
        more: What is new: ``20 rows more``.
        all_new: Whether the last new rows are all of them, so that the recipe has learned from no new row.

    Returns:
        The decision; the reason names both scores and the result of the paired test, or says that there is none because
        the recipe is the champion again: the same training on the same rows.
    """
    roles = {True: "champion", False: "challenger"}
    said = f"it has learned from {more}, too few to compare it with the champion"
    worse, found, decimals = False, find_metric(metric), decimals_of_scores(metric, score)
    shown = fixed(score, decimals)
    if rival is not None and all_new and math.isclose(score, rival.score, rel_tol=_SAME):
        said = (
            f"it has learned from {more}, all of which are needed to score it; trained before them, its recipe is the "
            f"champion again ({found.label} {shown}), so that there was nothing to compare"
        )
    elif rival is not None:
        difference = rival.difference
        loss = rival.score - score if found.larger_is_better else score - rival.score
        worse = difference.low > 0 or (bool(difference.lacking) and loss > _TOLERATED * abs(rival.score))
        how = "equal" if same(score, rival.score, decimals) else "not significantly different"
        if difference.high < 0:
            how = "significantly better"
        elif difference.low > 0:
            how = "significantly worse"
        elif difference.lacking:
            how = f"too few {difference.lacking} for a test" + (", but much worse" if worse else "")
        said = (
            f"on the last new rows its recipe, trained before them, has the {found.label} {shown}, the champion "
            f"{fixed(rival.score, decimals)}: {how}"
        )
    if rule != "if-better":
        return Decision(rule == "always", f"The new model is {roles[rule == 'always']} (--promote {rule}): {said}.")
    return Decision(not worse, f"The new model is {roles[not worse]}: {said}.")


def promote(paths: StudyPaths, champion: Path) -> None:
    """Make the challenger the champion, and keep the champion as the former one; each is there as a whole at all times.

    Args:
        paths: Of the study; its challenger was written.
        champion: Where the champion is.
    """
    with replacing(paths.former) as partial:
        shutil.copytree(champion, partial, dirs_exist_ok=True)
    with replacing(paths.bundle) as partial:
        shutil.copytree(paths.challenger, partial, dirs_exist_ok=True)
    shutil.rmtree(paths.challenger, ignore_errors=True)


def copy_model(bundle: Path, target: Path) -> None:
    """Copy a model to a new directory, completely or not at all.

    Raises:
        SearchError: The directory exists or cannot be written.
    """
    if target.exists():
        raise SearchError(f"{target} exists: remove it or give another directory with --to")
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        shutil.copytree(bundle, partial)
        partial.rename(target)
    except OSError as error:
        raise SearchError(
            f"{target} cannot be written: {error.strerror or error}; choose another place with --to"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
