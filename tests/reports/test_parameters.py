"""Which parameters matter, and when that cannot be told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import optuna
import pytest

from search.reports.charts.marks import Boxes
from search.reports.trials.parameters import importance, importance_chart, limits

# Of Optuna's, about what is experimental and about few trials.
pytestmark = pytest.mark.filterwarnings("ignore:Argument ``normalize``", "ignore:Some regimes")

optuna.logging.set_verbosity(optuna.logging.WARNING)


def make_study(
    count: int, value: Callable[[optuna.Trial], float | Sequence[float]], *, n_objectives: int = 1, states: str = ""
) -> optuna.Study:
    """Trials at random; ``states`` has P where one is pruned."""
    study = optuna.create_study(directions=["minimize"] * n_objectives, sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(count):
        trial = study.ask()
        values = value(trial)
        pruned = states[number : number + 1] == "P"
        study.tell(trial, None if pruned else values, state=optuna.trial.TrialState.PRUNED if pruned else None)
    return study


def bowl(trial: optuna.Trial) -> float:
    """``x`` matters, ``noise`` does not."""
    trial.suggest_float("noise", 0, 1)
    return trial.suggest_float("x", -1, 1) ** 2


def conditional(trial: optuna.Trial) -> float:
    layers = trial.suggest_int("n_layers", 1, 2)
    score = trial.suggest_float("rate", 0, 1)
    return score + (trial.suggest_float("size_2", 0, 1) if layers == 2 else 0.5)


def test_the_parameter_that_matters_comes_first() -> None:
    found = importance(make_study(60, bowl))

    assert list(found.shares) == ["x", "noise"]
    assert found.shares["x"] > 0.8
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.order == ["x", "noise"]
    assert found.reason == ""


def test_the_shares_are_those_of_optuna() -> None:
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    study = make_study(60, conditional)

    expected = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=0.1))

    assert importance(study).n_best == 6
    assert importance(study).shares == pytest.approx(expected)


def test_of_a_score_that_is_better_the_larger_the_best_are_the_largest() -> None:
    """The same trials with the sign of the score changed say the same."""
    study, mirrored = make_study(60, conditional), optuna.create_study(direction="maximize")
    for trial in study.trials:
        mirrored.add_trial(
            optuna.trial.create_trial(value=-trial.value, params=trial.params, distributions=trial.distributions)
        )
    assert importance(mirrored) == importance(study)
    tied = optuna.create_study(direction="maximize")
    for trial in study.trials:
        value = float(trial.number % 3 > 0)  # two of three are the best
        tied.add_trial(optuna.trial.create_trial(value=value, params=trial.params, distributions=trial.distributions))
    assert importance(tied).n_best == 40


@pytest.mark.parametrize(("n_trials", "n_best"), [(4, 2), (9, 4), (10, 5), (50, 5), (51, 6)])
def test_the_best_are_a_tenth_but_some_at_least(n_trials: int, n_best: int) -> None:
    assert importance(make_study(n_trials, bowl)).n_best == n_best


def test_trials_as_good_as_the_last_of_the_best_are_among_them() -> None:
    study = make_study(20, lambda trial: float(trial.suggest_int("x", 0, 3) // 2))

    assert importance(study).n_best == sum(trial.value == 0 for trial in study.trials)


@pytest.mark.parametrize(
    ("study", "reason"),
    [
        (make_study(0, bowl), "at least 4 complete trials are needed, and there are 0"),
        (make_study(3, bowl), "at least 4 complete trials are needed, and there are 3"),
        (make_study(8, bowl, states="PPPPP"), "at least 4 complete trials are needed, and there are 3"),
        (make_study(6, lambda trial: trial.number), "the study searches no parameter"),
        (make_study(8, lambda trial: 0 * trial.suggest_float("x", 0, 1)), "too many trials have the same score"),
        (
            make_study(8, lambda trial: 0 * trial.suggest_float("x", 0, 1) - (trial.number == 3)),
            "too many trials have the same score",
        ),
        (
            make_study(8, lambda trial: trial.number + trial.suggest_categorical("x", ["only"]).count("z")),
            "values are distributed in the best trials as they are in all trials",
        ),
    ],
    ids=["none", "three", "pruned", "no parameter", "all equal", "nearly all equal", "one choice"],
)
def test_where_nothing_can_be_told_it_says_why(study: optuna.Study, reason: str) -> None:
    found = importance(study)

    assert found.shares == {}
    assert found.reason.startswith(reason)
    assert found.order == sorted(found.trials)


def test_pruned_trials_do_not_count() -> None:
    assert importance(make_study(30, bowl, states="PP" * 10)).n_trials == 10


@pytest.mark.parametrize(
    ("study", "said", "unsaid"),
    [
        (make_study(8, bowl), ["the best 4 of 8", "8 trials are few for 2 parameters"], ["weighted", "bound"]),
        (make_study(60, bowl), ["the best 6 of 60"], ["few", "weighted", "objective"]),
        (make_study(60, conditional), ["weighted by their number"], ["few"]),
        (
            make_study(60, lambda trial: (bowl(trial), 1.0), n_objectives=2),
            ["dominated by the fewest other trials"],
            ["bound"],
        ),
    ],
)
def test_the_limits_are_said(study: optuna.Study, said: list[str], unsaid: list[str]) -> None:
    text = " ".join(limits(importance(study)))

    assert [part for part in said if part not in text] == []
    assert [part for part in unsaid if part in text] == []


def test_trials_that_break_a_bound_are_counted() -> None:
    study = make_study(10, bowl)
    trial = study.ask()
    trial.suggest_float("x", -1, 1)
    trial.set_constraint("latency", 1.0)
    study.tell(trial, 0.5)

    assert "1 of them violate a bound" in " ".join(limits(importance(study)))


def test_a_bar_says_how_many_trials_have_its_parameter() -> None:
    study = make_study(60, conditional)
    having = sum("size_2" in trial.params for trial in study.trials)

    chart = importance_chart(importance(study))

    [bars] = chart.marks
    assert isinstance(bars, Boxes)
    assert set(bars.texts) == {"n_layers", "rate", f"size_2 ({having} of 60)"} == set(chart.y.words)
    assert list(bars.right) == sorted(bars.right, reverse=True)  # the largest is on top


def test_only_the_most_important_are_drawn() -> None:
    [bars] = importance_chart(importance(make_study(60, conditional)), most=1).marks

    assert isinstance(bars, Boxes)
    assert list(bars.right) == [max(importance(make_study(60, conditional)).shares.values())]
