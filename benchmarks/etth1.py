"""ETTh1, seven channels, horizon 96, after the published protocol: how good is the winner of one search?

Rows 0:8640 are the training part, :11520 the validation part, :14400 the test part. The study searches and trains on
the first two; its winner forecasts every window of the test part, stride 1, and is scored on values standardized
with mean and deviation of the training part (Zhou et al. 2021; Zeng et al. 2023).

    python benchmarks/etth1.py ETTh1.csv
    python benchmarks/etth1.py ETTh1.csv --step-by-step     # only stacks of lstm and gru that read step by step

The file is ETT-small/ETTh1.csv of the ETDataset by Zhou et al.; its license (CC BY-ND 4.0) forbids to publish changed
copies.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from published import HERE, exported, parser, run_study, show, summary

HORIZON = 96
Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]
_WINDOWS_AT_ONCE = 512
_STEP_BY_STEP = (
    "space.segment_length=1",
    "space.n_layers=[1, 2]",
    "space.context_length=[96, 192]",
    "space.decoder=linear",
    "space.channels=[joint, independent]",
    "space.normalization=[fold, last]",
)


class Parts(NamedTuple):
    """Rows at which the parts of the table end."""

    train: int
    validation: int
    test: int


PUBLISHED = Parts(8640, 11520, 14400)


def main() -> None:
    """Run, score, print."""
    arguments = parser(__doc__, "ETTh1.csv")
    arguments.add_argument("--step-by-step", action="store_true", help="search stacks that read step by step only")
    options = arguments.parse_args()
    overrides = [part for text in _STEP_BY_STEP for part in ("--set", text)] if options.step_by_step else []
    frame = pd.read_csv(options.data)[: PUBLISHED.test]
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        table = Path(name) / "table.parquet"
        frame.to_parquet(table)
        record = run_study(HERE / "etth1.yaml", table, folder, options.timeout, [*overrides, *options.arguments])
        show({**summary(record), **score(record, frame)}, as_json=options.json)


def score(record: dict[str, Any], frame: pd.DataFrame, parts: Parts = PUBLISHED) -> dict[str, Any]:
    """Test errors of the exported model over all windows.

    Args:
        record: What ``show --json`` prints.
        frame: The table.
        parts: Its parts.
    """
    bundle = exported(record)
    values = frame[list(bundle.schema.targets)].to_numpy(np.float64)

    def forecast(cutoffs: Rows) -> Floats:
        rows = cutoffs[:, None] + np.arange(-bundle.context_length, 0)
        future, lengths = np.empty((len(rows), HORIZON, 0), np.float32), np.full(len(rows), rows.shape[1])
        return bundle.forecast_array(values[rows].astype(np.float32), future, lengths=lengths)

    return errors(forecast, values, parts)


def errors(forecast: Callable[[Rows], Floats], values: Values, parts: Parts) -> dict[str, Any]:
    """Errors over all windows of the test part, on values in standard deviations of the training part.

    Args:
        forecast: (windows,) cutoffs → (windows, H, Y) in original units.
        values: (rows, Y).
        parts: Of the rows.
    """
    deviation = values[: parts.train].std(axis=0)  # the mean cancels in the errors
    cutoffs = np.arange(parts.validation, parts.test - HORIZON + 1)
    squared = absolute = 0.0
    for part in np.array_split(cutoffs, -(-len(cutoffs) // _WINDOWS_AT_ONCE)):
        error = (forecast(part) - values[part[:, None] + np.arange(HORIZON)]) / deviation
        squared += float((error**2).mean(axis=(1, 2)).sum())
        absolute += float(np.abs(error).mean(axis=(1, 2)).sum())
    return {"windows": len(cutoffs), "test_mse": squared / len(cutoffs), "test_mae": absolute / len(cutoffs)}


if __name__ == "__main__":
    main()
