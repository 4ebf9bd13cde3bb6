"""A search of NeuralForecast with its defaults; runs in an environment of its own, see ``time_to_quality.py``.

    python neuralforecast_auto.py TABLE AutoLSTM --horizon 12 --test 12 --frequency MS

TABLE has the columns ``unique_id``, ``ds`` and ``y``. Ten samples with Optuna, as the library has them by default; its
default input sizes are longer than short series, and such a sample raises: with ``catch`` Optuna goes on with the next.
Prints one JSON object: the mean absolute error on the test part, the seconds from the data to the forecasts (without the
imports), how many samples failed.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
import warnings

import pandas as pd


def main() -> None:
    """Search, forecast the test part, print."""
    options = _options()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    from neuralforecast import NeuralForecast, auto
    from neuralforecast.common._base_auto import OptunaOptions

    frame = pd.read_csv(options.table, parse_dates=["ds"])
    model = getattr(auto, options.model)(
        h=options.horizon,
        num_samples=10,
        backend="optuna",
        optuna_options=OptunaOptions(study_kwargs={"catch": (Exception,)}),
    )
    start = time.perf_counter()
    forecaster = NeuralForecast(models=[model], freq=options.frequency)
    found = forecaster.cross_validation(
        frame, val_size=options.test, test_size=options.test, n_windows=None, step_size=options.horizon
    )
    seconds = time.perf_counter() - start
    error = float((found["y"] - found[options.model]).abs().mean())
    states = [trial.state.name for trial in forecaster.models[0].results.trials]
    print(json.dumps({"mae": error, "seconds": round(seconds, 1), "failed": len(states) - states.count("COMPLETE")}))


def _options() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("table")
    made.add_argument("model", choices=["AutoLSTM", "AutoGRU"])
    made.add_argument("--horizon", type=int, required=True)
    made.add_argument("--test", type=int, required=True, help="rows at the end of each series that are forecast")
    made.add_argument("--frequency", required=True)
    return made.parse_args()


if __name__ == "__main__":
    main()
