"""A search of NeuralForecast with its defaults, in an environment of its own: see ``time_to_quality.py``.

    python neuralforecast_auto.py table.csv AutoLSTM --horizon 12 --test 24 --frequency ME --forecasts forecasts.csv

The table has the columns ``unique_id``, ``ds`` and ``y``. Ten samples, as the library has them by default, by Optuna.
Its default input sizes are longer than short series, and such a sample raises: with ``catch`` Optuna goes on with the
next. Beside the forecasts, ``forecasts.json`` says how many samples there were, and how many of them did not raise.
"""

from __future__ import annotations

import argparse
import json
import logging
import warnings
from pathlib import Path

import pandas as pd


def main() -> None:
    """Search, forecast the test part, write."""
    options = _options()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    from neuralforecast import NeuralForecast, auto
    from neuralforecast.common._base_auto import OptunaOptions

    model = getattr(auto, options.model)(
        h=options.horizon,
        num_samples=10,
        time_budget=options.limit,
        backend="optuna",
        optuna_options=OptunaOptions(study_kwargs={"catch": (Exception,)}),
    )
    forecaster = NeuralForecast(models=[model], freq=options.frequency)
    found = forecaster.cross_validation(
        pd.read_csv(options.table, parse_dates=["ds"]),
        val_size=options.test,
        test_size=options.test,
        n_windows=None,
        step_size=options.horizon,
    )
    found = found.rename(columns={options.model: "forecast"})
    found[["unique_id", "ds", "forecast"]].to_csv(options.forecasts, index=False)
    states = [trial.state.name for trial in forecaster.models[0].results.trials]
    record = {"trials": len(states), "complete": states.count("COMPLETE")}
    options.forecasts.with_suffix(".json").write_text(json.dumps(record))


def _options() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("table")
    made.add_argument("model", choices=["AutoLSTM", "AutoGRU"])
    made.add_argument("--horizon", type=int, required=True)
    made.add_argument("--test", type=int, required=True, help="rows at the end of each series that are forecast")
    made.add_argument("--frequency", required=True)
    made.add_argument("--limit", type=float, help="seconds after which no further sample begins")
    made.add_argument("--forecasts", required=True, type=Path, help="where to write them")
    return made.parse_args()


if __name__ == "__main__":
    main()
