"""Backtests of sequence models, see :class:`search.tasks.backtest.TaskBacktest`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.data.sequences.splits import SequenceSplit
from lstmgru.errors import DataError, counted, shorten
from lstmgru.evaluation.significance import FEWEST_UNITS
from search.study.backtest_records import ClassPart, Parts
from search.tasks.backtest import BacktestPart
from search.tasks.sequences.data import SequenceData

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from lstmgru.bundle import SequenceBundle
    from lstmgru.data.sequences.sequences import LabeledSequences
    from lstmgru.evaluation.significance import Interval
    from lstmgru.evaluation.time_limit import TimeLimit
    from search.study.records import IntervalRecord
    from search.tasks.sequences.plan import SequencePlan

    SequencePart = BacktestPart[SequenceData, SequenceSplit]
    Outputs = npt.NDArray[np.float32]

NAME, HOLDOUT = "backtest", "holdout"
"""Of splits."""
_ENOUGH = 2 * FEWEST_UNITS
"""Sequences for a test of differences that is worth it."""


def read(bundle: SequenceBundle, frame: pd.DataFrame, *, source: str, start: str | None) -> SequencePart:
    """The sequences of a table that are scored: those after the data of the study, if the table begins with them."""
    sequences = bundle.sequences(frame, source=source)
    thing = _thing(sequences)
    if start is not None:
        raise DataError(f"--from is {start!r}, but {thing}s have no times; give a table with those to score")
    known = _known(bundle, sequences)
    if known == len(sequences):
        raise DataError(
            f"{source} has the {counted(known, thing)} that the model learned from and no others; give a table with "
            "others, or with these and others after them"
        )
    notes = []
    if not known:
        notes.append(
            f"the table does not begin with the {thing}s of the study, so all of it is scored: the model may have "
            f"learned from some of it, and there is nothing to fit baselines to"
        )
    return part_of(bundle, sequences, known, notes=tuple(notes))


def unseen(bundle: SequenceBundle, plan: SequencePlan, new: npt.NDArray[np.bool_] | None) -> SequenceSplit:
    """The sequences that are new."""
    sequences = plan.sequences
    if sequences.classes != bundle.task.classes:
        more = [name for name in sequences.classes if name not in bundle.task.classes]
        what = f"has the class {more[0]!r}" if more else "lacks a class"
        raise DataError(
            f"{plan.source} {what}, but the model knows the classes {shorten(bundle.task.classes)}; search again with "
            "run --fresh"
        )
    if new is None:
        new = np.arange(len(sequences)) >= (_known(bundle, sequences) or len(sequences))
    if not new.any():
        raise DataError(
            f"{plan.source} has no {_thing(sequences)}s after those that the model of the study has learned from; give "
            "a longer table with --data: the earlier ones, then the new ones"
        )
    return SequenceSplit(NAME, np.flatnonzero(~new), np.flatnonzero(new))


def part(bundle: SequenceBundle, plan: SequencePlan, split: SequenceSplit) -> SequencePart:
    """The part of the table of a plan that is scored."""
    scored = f"{counted(len(split.evaluation), f'new {_thing(plan.sequences)}')}"
    return BacktestPart(SequenceData(plan.sequences, (), bundle.task), split, scored)


def last_part(data: SequenceData, split: SequenceSplit) -> SequenceSplit:
    """The later half of the new sequences, if it is large enough for a test and has two labels; else all of them."""
    earlier, later = np.array_split(split.evaluation, 2)
    if len(later) < _ENOUGH or len(np.unique(data.sequences.labels[later])) < 2:
        return replace(split, name=HOLDOUT)
    return SequenceSplit(HOLDOUT, np.union1d(split.train, earlier), later)


def part_of(
    bundle: SequenceBundle, sequences: LabeledSequences, known: int, *, notes: tuple[str, ...] = ()
) -> SequencePart:
    """The part after the first ``known`` sequences."""
    split = SequenceSplit(NAME, np.arange(known), np.arange(known, len(sequences)))
    thing = _thing(sequences)
    after = f" after the first {known}" if known else ""
    scored = f"{counted(len(split.evaluation), thing)}{after}"
    return BacktestPart(SequenceData(sequences, (), bundle.task), split, scored, notes)


def _thing(sequences: LabeledSequences) -> str:
    return "text" if sequences.is_text else "sequence"


def _known(bundle: SequenceBundle, sequences: LabeledSequences) -> int:
    """Number of sequences at the start of a table that are the data of the study; 0 if they are not."""
    origin = bundle.provenance.get("data") or {}
    count = int(origin.get("sequences", 0))
    if not 0 < count <= len(sequences):
        return 0
    return count if sequences.first(count).digest() == origin.get("digest") else 0


def outputs(bundle: SequenceBundle, part: SequencePart, source: str) -> Outputs:
    """(sequences, O) probabilities, or values in original units."""
    del source  # everything was checked when the table was read
    return bundle.outputs(part.data.sequences)[part.split.evaluation]


def of_baseline(part: SequencePart, outputs: Outputs, calibration: Any) -> Outputs:
    """The same outputs."""
    del part, calibration
    return outputs


def calibration(part: SequencePart, name: str, limit: TimeLimit) -> None:
    """Labels have no prediction intervals."""
    del part, name, limit


def scores(part: SequencePart, outputs: Outputs) -> dict[str, float]:
    """Every metric that is defined."""
    return part.data.evaluation(part.split).scores(outputs)


def intervals(part: SequencePart, outputs: Outputs) -> tuple[IntervalRecord, ...]:
    """Labels have no prediction intervals."""
    del part, outputs
    return ()


def difference(part: SequencePart, outputs: Outputs, others: Outputs) -> Interval:
    """Interval of the difference between the errors of two methods."""
    return part.data.evaluation(part.split).difference(part.data.metric, outputs, others)


def parts(part: SequencePart, outputs: Outputs, baseline: Outputs | None) -> Parts:
    """Scores of each class; none of numbers."""
    del baseline
    if not part.data.labels.classes:
        return Parts()
    rows = part.data.evaluation(part.split).per_class(outputs).itertuples(index=False)
    return Parts(classes=tuple(ClassPart(*row) for row in rows))


def draw(part: SequencePart, outputs: Outputs) -> str:
    """Nothing: the tables say it all."""
    del part, outputs
    return ""
