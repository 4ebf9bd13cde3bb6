"""A study that was never run, with a model that was never trained, for the tests of tracking."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from search.study.records import ENDED, BaselineRecord, EpochRecord, HoldoutRecord, StudyRecord, TrialRecord

START = datetime(2026, 3, 1, 12, 0, 0)


def make_trial(number: int, state: str = "COMPLETE", *, epochs: int = 4, folds: int = 2, **changes: Any) -> TrialRecord:
    """A trial that started ``number`` minutes after the study; ``epochs`` epochs in each of its folds."""
    started = START + timedelta(minutes=number)
    curve = tuple(
        EpochRecord(fold, epoch, 1.0 / epoch, 3.0 + 0.1 * number + 1.0 / epoch, float((fold - 1) * epochs + epoch))
        for fold in range(1, folds + 1)
        for epoch in range(1, epochs + 1)
    )
    ended = state in ENDED
    trial = TrialRecord(
        number=number,
        state=state,  # type: ignore[arg-type]
        value=3.0 + 0.1 * number if ended else None,
        layers=f"lstm({8 * (number + 1)}) > gru(32)",
        params={"n_layers": 2, "layer_1.cell": "lstm", "learning_rate": 0.001 * (number + 1), "context_length": 28},
        n_parameters=1000 + number if ended else None,
        epochs=len(curve),
        seconds=30.0 if ended else None,
        reason={
            "PRUNED": "worse than the median",
            "STOPPED": "the time budget ended",
            "FAIL": "TrainingDiverged: loss is nan",
        }.get(state),
        fold_scores=(3.0, 3.2) if state == "COMPLETE" else (),
        curve=curve,
        started=started,
        completed=started + timedelta(seconds=30) if ended else None,
    )
    return replace(trial, **changes)


def make_study(*trials: TrialRecord, uid: str = "uid-1", **changes: Any) -> StudyRecord:
    """A forecasting study with these trials."""
    study = StudyRecord(
        study="weather",
        uid=uid,
        task="forecast",
        metric="mae",
        direction="minimize",
        config={
            "name": "weather",
            "task": "forecast",
            "data": {"dataset": "seattle_weather", "time": "date", "target": ["temp_max"], "path": None},
            "forecast": {"horizon": 7, "metric": "mae"},
            "search": {"trials": 20, "sampler": "tpe"},
            "tracking": {},
        },
        data={
            "source": "seattle_weather",
            "digest": "d" * 64,
            "series": 1,
            "rows": 1461,
            "start": "2012-01-01",
            "end": "2015-12-31",
            "frequency": "D",
        },
        trials=trials,
    )
    return replace(study, **changes)


def finished_study(n_trials: int = 6, uid: str = "uid-1") -> StudyRecord:
    """A study that ended with a winner: every fourth trial was pruned, every fifth failed."""
    states = ["FAIL" if n % 5 == 4 else "PRUNED" if n % 4 == 3 else "COMPLETE" for n in range(n_trials)]
    return make_study(
        *(make_trial(number, state) for number, state in enumerate(states)),
        uid=uid,
        baselines={"naive": BaselineRecord(3.4, 3.33), "linear": BaselineRecord(2.8, 2.64)},
        holdout=HoldoutRecord(0, 2.6, {"mae": 2.6, "rmse": 3.3}, "The winner beats linear.", beats_baselines=True),
    )


def save_small_bundle(folder: Path, *, trial: int = 0) -> Path:
    """Write a model to ``weather.bundle``, and to ``raw.csv`` a table that it can forecast from; return the former."""
    import numpy as np
    import torch

    from helpers.panels import make_panel
    from lstmgru.bundle import ForecastBundle, ForecastNetworkMember, example_frame, save_bundle
    from lstmgru.data.forecasting.scaling import Scaler
    from lstmgru.data.forecasting.series import input_spec
    from lstmgru.nn.forecast_network import ForecastNetwork
    from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec, parse_branches

    panel = make_panel((60,))
    torch.manual_seed(0)
    model = ModelSpec(parse_branches("gru(4)"), context_length=14)
    member = ForecastNetworkMember(
        network=ForecastNetwork(model, input_spec(panel.schema, n_series=1, short_series="error"), horizon=3),
        scaler=Scaler.fit(panel, np.array([[0, 60]]), model),
        model_spec=model,
        train_spec=TrainSpec(),
        trial=trial,
    )
    bundle = ForecastBundle(
        members=(member,),
        forecast=ForecastSpec(3, 7, "mae"),
        schema=panel.schema,
        frequency="D",
        ids=["series"],
        provenance={"study": "weather", "trial": trial},
        example=example_frame(panel, 20, 3),
    )
    save_bundle(folder / "weather.bundle", bundle, onnx=False)
    example_frame(panel, 40, 3).to_csv(folder / "raw.csv", index=False)
    return folder / "weather.bundle"
