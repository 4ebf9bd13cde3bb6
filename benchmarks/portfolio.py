"""The portfolio of first candidates: random configurations, trained on the development suite, and a selection of them.

Every configuration is drawn from the preset ``standard``, relative to the data, and trained on one fold of a part of
each data set, for at most a few seconds of processor time. No test part and no holdout is read. The scores are lines of
a file per kind of data; what stands there is not trained again. From them a greedy selection picks the configurations
that minimize the mean over the data sets of the regret of the best one so far, relative to the best of all.

    nice python benchmarks/portfolio.py forecasts --count 16      # trains; run it again for more
    python benchmarks/portfolio.py forecasts --select             # prints the selection
    python benchmarks/portfolio.py forecasts --write              # writes it into the package
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import torch
from data_sets import DATA_SETS
from data_sets.base import ROOT
from portfolio_selection import select, summary

from lstmgru.errors import TrainingDiverged
from lstmgru.specs import CHANNELS
from lstmgru.training.training import EpochResult
from search.api import load_plan
from search.config.space_values import Choices, FloatRange
from search.space.portfolio import POSITIONS, nearest
from search.space.space import SearchSpace, key_of
from search.study.samplers import derive_seed
from search.tasks import task_of
from search.tasks.forecasting.plan import PORTFOLIO
from search.tasks.forecasting.presets import PRESETS
from search.tasks.plan import Plan
from search.tasks.sequences.plan import PORTFOLIOS
from search.tasks.sequences.presets import LABEL_PRESETS

_DATA = ROOT.parent / "shared" / "data"
_FOLDER = Path(tempfile.gettempdir()) / "lstmgru-portfolio"
_SHIPPED = {"forecasts": PORTFOLIO, **PORTFOLIOS}
_STRIDE = 1000
"""From the numbers of the candidates of one seed to those of the next."""
_THIRDS = Choices((1, 2, 4))
"""Stands for the values of a key that depend on the data: the smallest, the middle one and the largest."""

DRAWN: Mapping[str, SearchSpace] = {
    "forecasts": PRESETS["standard"].replacing(
        context_length=Choices((8, 16, 32)),
        segment_length=_THIRDS,
        channels=Choices(CHANNELS),
        normalization=Choices(("last", "window")),
        transform=Choices(("none", "log")),
        series_embedding=Choices((0,)),
        loss=Choices(("mae",)),
    ),
    "numbers": LABEL_PRESETS["numbers"]["standard"].replacing(
        segment_length=_THIRDS,
        batch_size=_THIRDS,
        max_length=Choices((8,)),
        loss=Choices(("cross_entropy",)),
        label_smoothing=FloatRange(low=0.0, high=0.1),
        class_weights=Choices(("none",)),
    ),
    "texts": LABEL_PRESETS["texts"]["standard"].replacing(
        batch_size=_THIRDS,
        max_length=Choices((8,)),
        tokens=Choices(("word",)),
        embedding_size=Choices((64, 128, 256)),
        subwords=Choices((True, False)),
        loss=Choices(("cross_entropy",)),
        label_smoothing=FloatRange(low=0.0, high=0.1),
        class_weights=Choices(("none",)),
    ),
}


@dataclass(frozen=True)
class Sample:
    """The part of a data set that is trained on.

    Attributes:
        name: Of the data set.
        series: Series of a panel that are kept; ``None``: all.
        rows: First rows of the table, or texts, that are kept; ``None``: all.
        overrides: Of the study.
    """

    name: str
    series: int | None = None
    rows: int | None = None
    overrides: tuple[str, ...] = ()


_ETTH1 = ("splits.holdout=480", "splits.fold_size=480", "splits.stride=24")
SAMPLES: Mapping[str, tuple[Sample, ...]] = {
    "forecasts": (
        Sample("weather"),
        Sample("m4_hourly", series=20),
        Sample("m3_monthly", series=60),
        Sample("m3_quarterly", series=80),
        Sample("pbs", series=40),
        Sample("ansett", series=12),
        Sample("employment", series=12),
        Sample("etth1", rows=3600, overrides=_ETTH1),
    ),
    "numbers": tuple(
        map(
            Sample,
            (
                "Libras", "RacketSports", "JapaneseVowels", "Epilepsy", "ItalyPowerDemand", "Trace", "CBF", "GunPoint",
                "Plane", "TwoLeadECG", "MedicalImages",
            ),
        )
    ),
    "texts": (Sample("trec", rows=1200), Sample("cr", rows=1000)),
}  # fmt: skip
_OVERRIDES: Mapping[str, tuple[str, ...]] = {
    "forecasts": ("splits.folds=1", "training.max_epochs=12", "training.epoch_windows=1280"),
    "numbers": ("splits.folds=2",),  # half of so few sequences is scored
    "texts": ("splits.folds=1",),
}


@dataclass
class _Watch:
    """Keeps the scores of a training, and stops it when its processor time is up.

    Attributes:
        limit: Seconds of processor time.
        scores: Of the epochs.
    """

    limit: float
    scores: list[float] = field(default_factory=list)
    started: float = field(default_factory=time.process_time)

    @property
    def seconds(self) -> float:
        """Processor time so far."""
        return time.process_time() - self.started

    def on_epoch(self, result: EpochResult) -> None:
        """Keep its score."""
        self.scores.append(result.score)

    def should_stop(self) -> bool:
        """Whether the time is up."""
        return self.seconds > self.limit


def main() -> None:
    """Train what is missing, or select."""
    options = _options()
    path = options.folder / f"{options.kind}.jsonl"
    if options.select or options.write:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        members = select(rows, options.size)
        print(summary(rows, members))
        if options.write:
            _write(options.kind, rows, members)
        return
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    options.folder.mkdir(parents=True, exist_ok=True)
    for row in _missing(options, path):
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{row['data']} {row['candidate']}: {row['score']} in {row['seconds']} s", flush=True)


def draw(kind: str, count: int, seed: int) -> list[dict[str, Any]]:
    """Random configurations, relative to the data."""
    space, study = DRAWN[kind], optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    configurations = []
    for _ in range(count):
        trial = study.ask()
        space.suggest(trial)
        configurations.append({name: _relative(space, name, value) for name, value in trial.params.items()})
    return configurations


def _relative(space: SearchSpace, name: str, value: Any) -> Any:
    """A value as a portfolio has it: a position, or a number of two digits."""
    values = space[key_of(name)].values or ()
    if key_of(name) in POSITIONS:
        return values.index(value) / (len(values) - 1)
    return float(f"{value:.2g}") if isinstance(value, float) else value


def _missing(options: argparse.Namespace, path: Path) -> Iterator[dict[str, Any]]:
    """Train the candidates on the data sets where they have no score yet; one candidate on all before the next."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    known = {(row["data"], row["candidate"]) for row in map(json.loads, lines)}
    with tempfile.TemporaryDirectory() as folder:
        plans = {sample.name: _plan(options, sample, Path(folder) / sample.name) for sample in SAMPLES[options.kind]}
        drawn = draw(options.kind, options.count, options.seed)
        for candidate, configuration in enumerate(drawn, start=_STRIDE * options.seed):
            for name, plan in plans.items():
                if (name, candidate) not in known:
                    row = {"data": name, "candidate": candidate, "configuration": configuration}
                    yield row | _scores(plan, configuration, candidate, options.limit)


def _plan(options: argparse.Namespace, sample: Sample, folder: Path) -> Plan:
    """The study of the part of a data set."""
    folder.mkdir()
    prepared = DATA_SETS[sample.name].prepare(options.data, folder, "train")
    if sample.series or sample.rows:
        _shorten(prepared.table, sample)
    overrides = [*_OVERRIDES[options.kind], *sample.overrides]
    return load_plan(prepared.study, overrides=overrides, data=prepared.table)


def _shorten(table: Path, sample: Sample) -> None:
    """Keep some series of a panel, evenly spaced, or some rows."""
    frame = pd.read_csv(table) if table.suffix == ".csv" else pd.read_parquet(table)
    if sample.series:
        column = next(name for name in ("series", "part") if name in frame)
        names = frame[column].unique()
        kept = names[np.linspace(0, len(names) - 1, min(sample.series, len(names))).astype(int)]
        frame = frame[frame[column].isin(kept)]
    elif table.suffix == ".csv":
        frame = frame.sample(min(sample.rows or 0, len(frame)), random_state=0)
    else:
        frame = frame[: sample.rows]
    if table.suffix == ".csv":
        frame.to_csv(table, index=False)
    else:
        frame.to_parquet(table, index=False)


def _scores(plan: Plan, configuration: Mapping[str, Any], candidate: int, limit: float) -> dict[str, Any]:
    """The best score of a training on the first fold."""
    parameters = nearest(plan.space, configuration)
    model, settings = plan.space.suggest(optuna.trial.FixedTrial(parameters))
    train = plan.train_spec(settings, seed=derive_seed(0, candidate))
    data, watch = plan.search_data(), _Watch(limit)
    maximize = plan.direction == "maximize"
    try:
        task_of(plan).fit(data, data.folds[0], model, train, watch)
    except TrainingDiverged:
        watch.scores.clear()
    best = (max if maximize else min)(watch.scores) if watch.scores else None
    return {
        "architecture": model.architecture,
        "score": best,
        "maximize": maximize,
        "epochs": len(watch.scores),
        "seconds": round(watch.seconds, 2),
    }


def _write(kind: str, rows: list[dict[str, Any]], members: list[int]) -> None:
    """Write the selection into the package, those that train fast first; a line per configuration."""
    seconds = pd.DataFrame(rows).groupby("candidate")["seconds"].mean()
    configurations = {row["candidate"]: row["configuration"] for row in rows}
    lines = [
        f"  {json.dumps(configurations[member])}" for member in sorted(members, key=lambda member: seconds[member])
    ]
    _SHIPPED[kind].write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("kind", choices=list(DRAWN), help="kind of data")
    made.add_argument("--count", type=int, default=16, help="configurations to draw; default: 16")
    made.add_argument("--seed", type=int, default=0, help="of the draw; default: 0")
    made.add_argument("--limit", type=float, default=3.0, help="seconds of processor time a training; default: 3")
    made.add_argument("--size", type=int, default=8, help="configurations of the portfolio; default: 8")
    made.add_argument("--select", action="store_true", help="print the selection")
    made.add_argument("--write", action="store_true", help="print it, and write it into the package")
    made.add_argument("--data", type=Path, default=_DATA, help=f"folder of the data; default: {_DATA}")
    made.add_argument("--folder", type=Path, default=_FOLDER, help=f"of the scores; default: {_FOLDER}")
    options = made.parse_args()
    options.data = options.data.resolve()
    return options


if __name__ == "__main__":
    main()
