"""What one key of the space is worth: the same random candidates with each of its values, scored on the folds.

Candidates are drawn at random. Each is trained once for every value of the key, with the same seed and up to the same
number of epochs, without pruning. The differences within a candidate vary much less than the candidates, so a few of
them show what a key does. The holdout is not touched.

    python benchmarks/paired.py weather linear_path false true --count 10
    python benchmarks/paired.py benchmarks/italy.yaml fcn_filters 0 32 --set data.path=TRAIN.tsv --set data.test=null
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import optuna
import torch
import yaml

from lstmgru.errors import TrainingDiverged
from search.api import load_plan
from search.run.trial import Resumption, run_trial
from search.study.samplers import derive_seed
from search.tasks import task_of
from search.tasks.plan import Plan


class _Silent:
    """A channel that nobody listens to."""

    def report(self, message: Any) -> None:
        """Nothing to tell."""

    def stop_reason(self) -> None:
        """Never."""


def main() -> None:
    """Draw, train, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("key", help="of the section space")
    parser.add_argument("values", nargs="+", type=yaml.safe_load, help="the first one is compared with the others")
    parser.add_argument("--count", type=int, default=10, help="candidates")
    parser.add_argument("--seed", type=int, default=0, help="of the draw; the study seeds the trainings")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of search run")
    options = parser.parse_args()
    torch.set_num_threads(1)
    first = json.dumps(options.values[0])
    plan = load_plan(options.study, overrides=[*options.set, f"space.{options.key}={first}"])
    rows = []
    for row in candidates(plan, options.key, options.values, options.count, options.seed):
        rows.append(row)
        print(json.dumps(row), flush=True)
    print(json.dumps(summary(plan, rows, options.values)))


def candidates(plan: Plan, key: str, values: list[Any], count: int, seed: int) -> Iterator[dict[str, Any]]:
    """The scores and seconds of random candidates for every value, as text; a value that diverges has no score."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    data, task = plan.search_data(), task_of(plan)
    for number in range(count):
        model, settings = plan.space.suggest(study.ask())
        train = plan.train_spec(settings, seed=derive_seed(plan.config.search.seed, number))
        in_model = key in {field.name for field in fields(model)}
        row: dict[str, Any] = {"architecture": model.architecture, "scores": {}, "seconds": {}}
        for value in values:
            changed = {key: value}
            other, spec = (replace(model, **changed), train) if in_model else (model, replace(train, **changed))
            try:
                result = run_trial(task, data, other, spec, Resumption(), _Silent())
            except TrainingDiverged:
                continue
            row["scores"][str(value)] = round(result.score, 5)
            row["seconds"][str(value)] = round(result.seconds, 2)
        yield row


def summary(plan: Plan, rows: list[dict[str, Any]], values: list[Any]) -> dict[str, Any]:
    """For every value: mean and best score, how many candidates gain and lose by it, seconds relative to the first."""
    names = [str(value) for value in values]
    complete = [row for row in rows if len(row["scores"]) == len(names)]
    sign = 1 if plan.direction == "maximize" else -1
    first = [row["scores"][names[0]] for row in complete]
    table: dict[str, Any] = {"candidates": len(complete)}
    for name in names:
        scores = [row["scores"][name] for row in complete]
        gains = [sign * (score - other) for score, other in zip(scores, first, strict=True)]
        table[name] = {
            "mean": round(statistics.mean(scores), 4),
            "best": sign * max(sign * score for score in scores),
            "gain": sum(gain > 0 for gain in gains),
            "lose": sum(gain < 0 for gain in gains),
            "seconds": round(_seconds(complete, name) / _seconds(complete, names[0]), 2),
        }
    return table


def _seconds(rows: list[dict[str, Any]], name: str) -> float:
    return sum(row["seconds"][name] for row in rows)


if __name__ == "__main__":
    main()
