"""The interface of the data sets of the suite."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml

Part = Literal["train", "test"]
"""What is scored: the test part, or in ``train`` the end or a fold of the training part, and no test part is read."""
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Prepared:
    """What a study of a data set reads.

    Attributes:
        study: The study file.
        table: Its table.
        arguments: Further arguments of ``search run``.
    """

    study: Path
    table: Path
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scores:
    """Scores on the part that is scored.

    Attributes:
        exported: The exported model, by metric.
        single: The best single network by the data set's metric, if it is known.
        baselines: By name, by the data set's metric.
    """

    exported: dict[str, float]
    single: float | None
    baselines: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class DataSet(ABC):
    """A data set of the suite.

    Attributes:
        name: Of its row.
        group: ``forecasts``, ``labels`` or ``texts``; the mean over the labels is reported.
        seconds: Time limit of the study.
        metric: The score of its row.
        published: Scores in the literature by method, of the same metric and the test part.
        goals: At most two scores to reach by metric: the one required, and the one aimed at.
        seeds: Of the search, a run each.
        trials: Most trials of the study.
    """

    name: str
    group: str = "forecasts"
    seconds: float
    metric: str
    published: Mapping[str, float] = field(default_factory=dict)
    goals: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    trials: int = 1000

    @property
    def maximize(self) -> bool:
        """Whether a larger score is better."""
        return self.group != "forecasts"

    @abstractmethod
    def prepare(self, data: Path, folder: Path, part: Part) -> Prepared:
        """Write what the study reads.

        Args:
            data: The folder of the data.
            folder: An empty folder.
            part: What will be scored.
        """

    @abstractmethod
    def score(self, data: Path, prepared: Prepared, record: dict[str, Any], part: Part) -> Scores:
        """Score a finished study.

        Args:
            data: The folder of the data.
            prepared: As :meth:`prepare` returned it.
            record: What ``show --json`` prints.
            part: What is scored.
        """


def write_study(folder: Path, name: str, study: Mapping[str, Any]) -> Path:
    """Write a study file; its section ``space`` is left out, so that every key of it has its default."""
    path = folder / f"{name}.yaml"
    sections = {key: value for key, value in study.items() if key not in ("name", "space")}
    path.write_text(yaml.safe_dump(sections, sort_keys=False), encoding="utf-8")
    return path


def write_table(folder: Path, frame: pd.DataFrame) -> Path:
    """Write a table."""
    path = folder / "table.parquet"
    frame.to_parquet(path, index=False)
    return path


def of_holdout(record: Mapping[str, Any], metrics: Mapping[str, str] | None = None) -> Scores:
    """Scores of a study whose holdout is the part that is scored.

    Args:
        record: What ``show --json`` prints.
        metrics: Names of the suite by those of the study; by default all metrics of the holdout.
    """
    found = record["holdout"]["metrics"]
    exported = dict(found) if metrics is None else {ours: found[name] for name, ours in metrics.items()}
    return Scores(exported, single_of(record), baselines_of(record))


def single_of(record: Mapping[str, Any]) -> float | None:
    """Holdout score of the best single network; ``None`` if there is none, or no time was left for it."""
    blend = record["blend"]
    if blend is None:  # then it is what the study exports
        score: float | None = record["holdout"]["score"]
        return score
    return None if blend["single"] is None else blend["single"]["holdout"]


def baselines_of(record: Mapping[str, Any]) -> dict[str, float]:
    """Holdout scores of the baselines by the study's metric."""
    return {name: each["holdout"] for name, each in record["baselines"].items() if each["holdout"] is not None}
