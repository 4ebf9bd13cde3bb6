"""What the trials of a study are judged by, under the names that a report shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from search.config.objectives import SCORE

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

_LABELS = {"latency": "latency (s)", "n_parameters": "parameters", "train_seconds": "training (s)"}


@dataclass(frozen=True)
class Objective:
    """One of the values of a trial.

    Attributes:
        index: Its place among them.
        name: As the study has it: ``score``, ``latency``.
        label: Its name for people: ``score (mae)``.
        alone: Whether it is the only one.
        larger_is_better: Whether it is maximized.
    """

    index: int
    name: str
    label: str
    alone: bool
    larger_is_better: bool = False

    def of(self, trial: FrozenTrial) -> float:
        """Its value in a complete trial."""
        return float(trial.values[self.index])


def objectives(study: Study, metric: str) -> tuple[Objective, ...]:
    """All objectives of a study.

    Args:
        study: Optuna's; its metric names are those of the objectives, unless it has the score alone.
        metric: What the score is.
    """
    count = len(study.directions)
    names = study.metric_names or ([SCORE] if count == 1 else [f"objective_{number}" for number in range(1, count + 1)])
    larger = [direction.name == "MAXIMIZE" for direction in study.directions]
    return tuple(
        Objective(index, name, _label(name, metric), count == 1, larger[index]) for index, name in enumerate(names)
    )


def _label(name: str, metric: str) -> str:
    return f"{SCORE} ({metric})" if name == SCORE else _LABELS.get(name, name.replace("_", " "))


def complete_trials(study: Study) -> list[FrozenTrial]:
    """The trials that have values."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
