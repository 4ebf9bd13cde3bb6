"""What each choice of a search space is worth: random candidates of a study, scored on the folds and on the holdout.

Candidates are drawn at random, trained on all folds without pruning, and refitted as a winner would be. The table
shows, for every value of every choice, the medians over the candidates that have it: scores on folds and holdout, and
seconds. It is what the presets were chosen by; the holdout plays no part in any search.

    python benchmarks/candidates.py weather --count 60
    python benchmarks/candidates.py employment --count 40 --set space.preset=full --json
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import optuna
import pandas as pd
import torch

from lstmgru.errors import TrainingDiverged
from lstmgru.specs import ModelSpec, TrainSpec
from lstmgru.training.fit_forecasts import fit, point_forecast, predict, quantile_forecast
from search.api import load_plan
from search.run.trial import Resumption, run_trial
from search.study.samplers import derive_seed
from search.tasks import task_of
from search.tasks.epochs import refit_epochs
from search.tasks.plan import Plan


class _Silent:
    """A channel that nobody listens to."""

    def report(self, message: Any) -> None:
        """Nothing to tell."""

    def stop_reason(self) -> None:
        """Never."""


def main() -> None:
    """Draw, train, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("--count", type=int, default=40, help="candidates")
    parser.add_argument("--seed", type=int, default=0, help="of the draw; the study seeds the trainings")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of search run")
    parser.add_argument("--json", action="store_true", help="print one JSON object a candidate")
    options = parser.parse_args()
    torch.set_num_threads(1)
    plan = load_plan(options.study, overrides=options.set)
    rows = []
    for row in candidates(plan, options.count, options.seed):
        rows.append(row)
        if options.json:
            print(json.dumps(row), flush=True)
    if not options.json:
        frame = pd.DataFrame(rows)
        print(table(frame).to_string())
        print(f"rank correlation of folds and holdout: {frame['folds'].corr(frame['holdout'], method='spearman'):.2f}")


def candidates(plan: Plan, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """The parameters and scores of random candidates; one that diverges has no scores."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for number in range(count):
        trial = study.ask()
        model, settings = plan.space.suggest(trial)
        row = {"architecture": model.architecture, **trial.params}
        try:
            train = plan.train_spec(settings, seed=derive_seed(plan.config.search.seed, number))
            yield row | scores(plan, model, train)
        except TrainingDiverged:
            yield row


def scores(plan: Plan, model: ModelSpec, train: TrainSpec) -> dict[str, Any]:
    """Mean score on the folds, score on the holdout after a refit, seconds on the folds."""
    data = plan.search_data()
    result = run_trial(task_of(plan), data, model, train, Resumption(), _Silent())
    whole = replace(data, panel=plan.panel)
    evaluation = whole.evaluation(plan.splits.holdout)
    refitted = fit(
        whole.panel,
        plan.splits.holdout,
        model,
        replace(train, max_epochs=refit_epochs(list(result.best_epochs))),
        plan.forecast,
        short_series=whole.short_series,
    )
    forecast = predict(refitted.network, refitted.scaler, whole.panel, evaluation.cutoffs, plan.forecast)
    holdout = evaluation.score(plan.forecast.metric, point_forecast(forecast), quantile_forecast(forecast))
    return {"folds": statistics.mean(result.fold_scores), "holdout": holdout, "seconds": result.seconds}


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """Medians for each value of each choice that some candidates have."""
    choices = [name for name in frame if frame[name].nunique() in range(2, 9)]
    parts = {name: frame.groupby(name)[["folds", "holdout", "seconds"]].median() for name in choices}
    return pd.concat(parts, names=["choice", "value"]).round(3)


if __name__ == "__main__":
    main()
