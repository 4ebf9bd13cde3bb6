"""What the tests of comparisons share: candidates of a family, and comparisons that were never made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import optuna

from search.compare.results import (
    Advice,
    ComparedBaseline,
    Comparison,
    Counts,
    Difference,
    FamilyResult,
    Score,
    Trait,
)
from search.space.space import Model, SearchSpace
from search.tasks.compare import ClassScore, ContextScore, LengthScore


class JobContext:
    """Reports nowhere, and stops after so many questions."""

    def __init__(self, patience: int = 10**9) -> None:
        self._patience = patience

    def report(self, message: Any) -> None:
        """Not kept."""

    def stop_reason(self) -> str | None:
        """A reason, once there were enough questions."""
        self._patience -= 1
        return "enough" if self._patience < 0 else None


class Reports(JobContext):
    """Keeps the reports of a trial."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Any] = []

    def report(self, message: Any) -> None:
        """Kept."""
        self.kept.append(message)


def suggested(space: SearchSpace, count: int, seed: int = 0) -> list[tuple[Model, dict[str, Any]]]:
    """Candidates that TPE suggests, each told a score, and their parameters."""
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    found = []
    for number in range(count):
        trial = study.ask()
        model, _ = space.suggest(trial)
        found.append((model, trial.params))
        study.tell(trial, float(number % 7))
    return found


def make_score(*by_seed: float, folds_sd: float | None = 0.1) -> Score:
    """Of these seeds."""
    mean = sum(by_seed) / len(by_seed)
    seeds_sd = 0.05 if len(by_seed) > 1 else None
    return Score(mean, seeds_sd, folds_sd, min(by_seed), max(by_seed), by_seed)


def make_counts(total: int = 4, *, failed: int = 0, pruned: int = 1, diverged: int = 0) -> Counts:
    """Trials that ended so."""
    return Counts(total, total - failed - pruned, pruned, failed, diverged, inherited=1)


def unscored() -> FamilyResult:
    """A family none of whose trials was complete."""
    return FamilyResult("fused", "only fused layers", make_counts(2, failed=2, pruned=0))


def make_family(name: str = "lstm", **changes: Any) -> FamilyResult:
    """A family of which everything is known."""
    values: dict[str, Any] = {
        "name": name,
        "words": f"only {name} layers",
        "trials": make_counts(),
        "trial": 2,
        "layers": f"{name}(8) > {name}(4)",
        "params": {"n_layers": 2, "learning_rate": 0.01},
        "seeds": 3,
        "folds": make_score(2.0, 2.1, 2.2),
        "holdout": make_score(1.9, 2.0, 2.1, folds_sd=None),
        "standing": "equal",
        "difference": Difference(0.1, -0.1, 0.3, 0.2, 0.4, False),
        "steps": (1.0, 1.5, 2.0),
        "contexts": (ContextScore(7, 7, 3, 2.5), ContextScore(14, 14, 3, 2.4)),
        "n_parameters": 1000,
        "epoch_seconds": 0.5,
        "best_seconds": 2.0,
        "latency": 0.001,
        "batch_latency": 0.004,
        "memory": 20_000_000,
        "sensitivity": 0.3,
        "trial_scores": (2.0, 2.3, 2.9),
    }
    return FamilyResult(**{**values, **changes})


def make_baseline(name: str = "seasonal_naive", holdout: float = 2.5, **changes: Any) -> ComparedBaseline:
    """A baseline of which everything is known."""
    values: dict[str, Any] = {
        "holdout": Score(holdout, None, None, holdout, holdout, (holdout,)),
        "standing": "worse",
        "difference": Difference(0.5, 0.3, 0.7, 0.001, 0.002, True),
        "steps": (2.0, 2.5, 3.0),
        "n_parameters": 0,
        "fit_seconds": 0.01,
        "latency": 0.0001,
        "batch_latency": 0.0002,
    }
    return ComparedBaseline(name, **{**values, **changes})


def make_comparison(*families: FamilyResult, **changes: Any) -> Comparison:
    """A comparison of these families; without any, one of which everything is known."""
    best = make_family(
        "gru",
        standing="best",
        difference=None,
        strengths=(Trait("latency", "quick"),),
        weaknesses=(Trait("far", "far"),),
    )
    values: dict[str, Any] = {
        "study": "weather",
        "uid": "c0ffee",
        "task": "forecast",
        "metric": "mae",
        "targets": ("temp_max",),
        "direction": "minimize",
        "cases": "windows",
        "horizon": 3,
        "folds": 2,
        "trials": 4,
        "seeds": 3,
        "seconds": 61.5,
        "families": families or (best, make_family("lstm"), make_family("fused", standing="worse")),
        "best": "gru",
        "verdict": "gru is better than fused.",
        "advice": (Advice("accuracy", "gru", "the best score"), Advice("speed", "lstm", "quick")),
        "baselines": {"naive": 3.5, "seasonal_naive": 2.5},
        "baseline_results": (make_baseline(), make_baseline("naive", 3.5)),
        "notes": ("Each family had 4 trials.",),
    }
    return Comparison(**{**values, **changes})


def make_label_family(name: str = "lstm", **changes: Any) -> FamilyResult:
    """Likewise, of a study of classes."""
    values: dict[str, Any] = {
        "folds": make_score(0.8, 0.81, 0.82),
        "holdout": make_score(0.79, 0.8, 0.81, folds_sd=None),
        "difference": Difference(-0.02, -0.05, 0.01, 0.2, 0.4, False),
        "steps": (),
        "contexts": (),
        "lengths": (LengthScore(3, 5, 40, 0.7), LengthScore(6, 9, 40, 0.9)),
        "classes": (ClassScore("a", 30, 0.9, 0.8), ClassScore("b", 30, 0.7, 0.75), ClassScore("c", 20, 0.8, 0.85)),
        "sensitivity": 0.03,
        "trial_scores": (0.7, 0.78, 0.8),
    }
    return make_family(name, **{**values, **changes})


def make_label_comparison(*families: FamilyResult, **changes: Any) -> Comparison:
    """Likewise, of a study of classes."""
    best = make_label_family("gru", standing="best", difference=None)
    values: dict[str, Any] = {
        "study": "vowels",
        "task": "classification",
        "metric": "accuracy",
        "targets": ("speaker",),
        "direction": "maximize",
        "cases": "sequences",
        "horizon": None,
        "baselines": {"majority": 0.3, "nearest_neighbor": 0.75},
        "baseline_results": (
            make_baseline(
                "nearest_neighbor",
                0.75,
                steps=(),
                lengths=(LengthScore(3, 5, 40, 0.7), LengthScore(6, 9, 40, 0.8)),
                classes=tuple(ClassScore(name, 30, 0.7, 0.7) for name in "abc"),
            ),
            make_baseline("majority", 0.3, steps=()),
        ),
    }
    made = families or (best, make_label_family("lstm"), make_label_family("fused", standing="worse"))
    return replace(make_comparison(*made), **{**values, **changes})
