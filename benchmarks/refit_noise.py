"""How much a refit depends on its seed, with and without the moving average of the weights.

Draws candidates of the weather study at random, trains each on the folds, refits it with several seeds and scores the
refits on the holdout. Prints how many refits are more than 2% worse than the linear baseline.

    python benchmarks/refit_noise.py --candidates 10 --seeds 4
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace

import optuna
import torch

from lstmgru.evaluation.forecast_baselines import fit_baseline, forecaster
from lstmgru.evaluation.forecasts import make_evaluation
from lstmgru.specs import ModelSpec, TrainSpec
from lstmgru.training.fit_forecasts import fit, point_forecast, predict
from search.api import load_plan
from search.tasks.epochs import refit_epochs
from search.tasks.plan import Plan


def main() -> None:
    """Draw, train, refit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=10, help="drawn at random from the study's space")
    parser.add_argument("--seeds", type=int, default=4, help="refits of each")
    parser.add_argument("--json", action="store_true", help="print one JSON object a setting")
    options = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    plan = load_plan("weather", overrides=["space.normalization=fold", "space.n_layers=[1, 2]"])
    baseline = score_linear(plan)
    for ema_decay in (None, 0.99):
        scores = list(refits(plan, options.candidates, options.seeds, ema_decay))
        worse = sum(score > 1.02 * baseline for score in scores) / len(scores)
        mean = sum(scores) / len(scores)
        result = {"ema_decay": ema_decay, "refits": len(scores), "mean": round(mean, 3), "worst": round(max(scores), 3)}
        result |= {"linear": round(baseline, 3), "share_over_2_percent_worse": round(worse, 3)}
        print(json.dumps(result) if options.json else "  ".join(f"{key} {value}" for key, value in result.items()))


def score_linear(plan: Plan) -> float:
    """The linear baseline on the holdout."""
    longest = plan.longest_context
    holdout = make_evaluation(plan.panel, plan.splits.holdout, plan.forecast, context_length=longest, stride=1)
    linear = fit_baseline("linear", plan.panel, plan.splits.holdout, plan.forecast, longest)
    forecast = forecaster(plan.panel, linear, forecast=plan.forecast)(holdout.cutoffs)
    return holdout.score(plan.forecast.metric, forecast)


def refits(plan: Plan, candidates: int, seeds: int, ema_decay: float | None) -> Iterator[float]:
    """Holdout scores of every candidate's refits."""
    longest = plan.longest_context
    holdout = make_evaluation(plan.panel, plan.splits.holdout, plan.forecast, context_length=longest, stride=1)
    for model, train in draw(plan, candidates):
        tuned = replace(train, ema_decay=ema_decay)
        epochs = refit_epochs(best_epochs(plan, model, tuned))
        for seed in range(seeds):
            spec = replace(tuned, max_epochs=epochs, seed=seed)
            fitted = fit(plan.panel, plan.splits.holdout, model, spec, plan.forecast)
            forecast = predict(fitted.network, fitted.scaler, plan.panel, holdout.cutoffs, plan.forecast)
            yield holdout.score(plan.forecast.metric, point_forecast(forecast))


def draw(plan: Plan, count: int) -> Iterator[tuple[ModelSpec, TrainSpec]]:
    """Candidates drawn at random, the same in every run."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(count):
        model, settings = plan.space.suggest(study.ask())
        yield model, plan.train_spec(settings, seed=0)


def best_epochs(plan: Plan, model: ModelSpec, train: TrainSpec) -> list[int]:
    """The best epoch of each fold."""
    longest = plan.longest_context
    epochs = []
    for fold in plan.splits.folds:
        scored = make_evaluation(plan.panel, fold, plan.forecast, context_length=longest, stride=1)
        epochs.append(fit(plan.panel, fold, model, train, plan.forecast, evaluation=scored).best_epoch)
    return epochs


if __name__ == "__main__":
    main()
