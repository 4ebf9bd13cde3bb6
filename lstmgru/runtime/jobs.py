"""Predict from a file of any size: block after block of whole series or sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.errors import DataError
from lstmgru.runtime.predictor import BlockPlan, NothingPredicted, Options, Predictions, Predictor

if TYPE_CHECKING:
    from lstmgru.data.tables.blocks import TableBlocks

Progress = Callable[[int, int | None], None]
"""Receives the rows that are done, and all rows of the file; ``None`` while they are counted."""

_NO_OPTIONS = Options()
_CELLS, _MOST_ROWS = 2_000_000, 250_000
"""Of a block, if its number of rows is not given."""
_CONTEXTS, _OUTPUT_ROWS = 16_000_000, 500_000
"""Numbers of the contexts of a block, and rows of its predictions."""


def predict_file(
    model: Predictor,
    path: Path | str,
    options: Options = _NO_OPTIONS,
    *,
    strict: bool = False,
    block_rows: int | None = None,
    progress: Progress = lambda done, total: None,
    delimiter: str = ",",
    decimal: str = ".",
    encoding: str = "utf-8",
    columns: Sequence[str] = (),
) -> Iterator[Predictions]:
    """Predict from a file, part after part; together they are the predictions from the whole table.

    A file of more than one block is read twice, and sorted in a temporary file unless the series follow each other in
    the order of their names (sequences: in any order). Memory is that of a block, which holds at least a whole series,
    and of the names of all series. The table of a single series is read as a whole.

    Args:
        model: The model.
        path: CSV, Parquet or Arrow, see :func:`~lstmgru.data.tables.readers.read_table`.
        options: What is asked of a forecast.
        strict: Raise the first reason instead of leaving a series or sequence out.
        block_rows: Most rows of a block; ``None``: as many as hold about 2 million cells.
        progress: See :data:`Progress`.
        delimiter: Between the fields of a text file.
        decimal: Decimal mark of a text file.
        encoding: Encoding of a text file.
        columns: Names of the columns of a text file without a header.

    Raises:
        DataError: The file cannot be read, or the table as a whole or nothing in it fits the model.
    """
    import pandas as pd

    path, options = Path(path), model.checked(options)
    reading: dict[str, Any] = {"delimiter": delimiter, "decimal": decimal, "encoding": encoding, "columns": columns}
    blocks = _blocks(model, path, options, block_rows, progress, reading)
    if blocks is None or len(blocks.counts) == 1:
        frame = model.read_table(path, **reading)
        rows = np.arange(len(frame))
        progress(0, len(rows))
        yield model.predict_part(frame, rows, options, source=str(path), strict=strict)
        progress(len(rows), len(rows))
        return
    done, anything = 0, False
    reasons: dict[str, str] = {}
    for block in blocks:
        progress(done, blocks.n_rows)
        try:
            part = model.predict_part(block.frame, block.rows, options, source=str(path))
            anything = True
        except NothingPredicted as error:
            part = Predictions(pd.DataFrame(), error.left_out)
        if strict and part.left_out:
            raise DataError(next(iter(part.left_out.values())))
        reasons |= {} if anything else part.left_out
        yield part
        done += len(block.rows)
    progress(done, blocks.n_rows)
    if not anything:
        raise NothingPredicted.of(reasons)


def _blocks(
    model: Predictor,
    path: Path,
    options: Options,
    block_rows: int | None,
    progress: Progress,
    reading: dict[str, Any],
) -> TableBlocks | None:
    """The blocks of a file; ``None`` if it can only be read as a whole."""
    plan = model.blocks(path) if find_spec("pyarrow") is not None else None
    if plan is None:
        return None
    from lstmgru.data.tables.blocks import TableBlocks
    from lstmgru.data.tables.readers import open_chunks

    scanned = 0

    def advance(rows: int) -> None:
        nonlocal scanned
        scanned += rows
        progress(scanned, None)

    return TableBlocks(
        open_chunks(path, **reading, text=plan.text),
        plan.column,
        plan.columns,
        by_name=plan.sorted,
        most_rows=block_rows or min(_MOST_ROWS, max(1, _CELLS // len(plan.columns))),
        most_groups=_most_groups(plan, options),
        advance=advance,
    )


def _most_groups(plan: BlockPlan, options: Options) -> int:
    output_rows = plan.output_rows * (options.samples or 1)
    return max(1, min(_CONTEXTS // max(1, plan.numbers), _OUTPUT_ROWS // output_rows))
