"""What TPE sees of large studies: the same as Optuna's would count as good, and the latest of the others."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.samplers._tpe.sampler import _split_trials, default_gamma
from optuna.trial import TrialState

from search.study import history
from search.study.history import History
from search.study.samplers import make_sampler
from search.study.trials import PROMOTED_FROM, RETRY_OF, TrialIndex

SPACE = {"x": FloatDistribution(0, 1)}


@pytest.fixture(autouse=True)
def _many_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST", 60)


def run(study: optuna.Study, number: int) -> None:
    """A trial that is complete, pruned, failed or beyond a bound, and better in the beginning."""
    trial = study.ask(SPACE)
    value = [(number * 7919 % 1000) / 1000 + number / 100, (number * 104729 % 997) / 997][: len(study.directions)]
    if number % 11 == 3:
        trial.set_constraint("latency", 1.0)
    if number % 7 == 1:
        if len(value) == 1:
            trial.report(value[0], number % 5)
        study.tell(trial, state=TrialState.PRUNED)
    elif number % 13 == 5:
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, value)


def seen(study: optuna.Study, known: History) -> list[optuna.trial.FrozenTrial]:
    return known.of(study)._get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING))


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_best_are_kept_whatever_their_age_and_of_the_others_the_latest(direction: str) -> None:
    study, known = optuna.create_study(direction=direction, sampler=optuna.samplers.RandomSampler(seed=0)), History()
    late = study.ask(SPACE)
    for number in range(1, 300):
        run(study, number)
        if number == 200:
            study.tell(late, 3.0)
        if number % 17:
            continue
        running = study.ask(SPACE)
        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
        everything = study.get_trials(deepcopy=False, states=states)
        finished = [trial for trial in everything if trial.state != TrialState.RUNNING]
        found = seen(study, known)
        assert found == sorted(found, key=lambda trial: trial.number)
        assert found == seen(study, History()), "a resumed study sees the same"
        if len(finished) <= 60:
            assert found == everything
        else:
            assert len(found) <= 60 + sum(trial.state == TrialState.RUNNING for trial in everything)
            n_below = default_gamma(len(finished))
            best, others = _split_trials(study, finished, n_below)
            assert _split_trials(study, found, n_below)[0] == best
            assert found[-20:] == everything[-20:]
            assert any(trial not in found for trial in others)
        study.tell(running, state=TrialState.FAIL)


def test_of_several_objectives_the_front_is_kept() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=optuna.samplers.RandomSampler(seed=0))
    known = History()
    for number in range(200):
        run(study, number)
        numbers = {trial.number for trial in seen(study, known)}
        within = [t for t in study.best_trials if not t.constraints]
        assert {trial.number for trial in within} <= numbers
    assert len(numbers) < 100


def test_a_large_study_is_searched_as_well_after_a_restart() -> None:
    def suggested(*, resumed_at: int) -> list[dict[str, Any]]:
        study, known = optuna.create_study(), History()
        for number in range(90):
            if number == resumed_at:
                known = History()
            study.sampler = make_sampler("tpe", seed=3, number=number, history=known)
            trial = study.ask()
            study.tell(trial, (trial.suggest_float("x", 0, 1) - 0.3) ** 2 + trial.suggest_int("n", 1, 9))
        return [trial.params for trial in study.trials]

    everything = suggested(resumed_at=0)
    assert everything == suggested(resumed_at=75)
    assert min(abs(params["x"] - 0.3) for params in everything[60:]) < 0.05


def test_an_index_knows_what_waits_runs_has_finished_and_is_repeated() -> None:
    study = optuna.create_study()
    index = TrialIndex(study)
    assert (index.update(), index.count, index.finished) == ([], 0, [])
    first, second = study.ask(), study.ask()
    study.enqueue_trial({}, user_attrs={RETRY_OF: 0})
    study.tell(second, 2.0)
    assert [trial.state.name for trial in index.update()] == ["RUNNING", "WAITING"]
    study.tell(first, 1.0)
    study.enqueue_trial({}, user_attrs={PROMOTED_FROM: 1})
    study.tell(study.ask(), state=TrialState.FAIL)
    assert [trial.number for trial in index.update()] == [3]
    assert [trial.number for trial in index.finished] == [1, 0, 2]
    assert (index.count, index.repeated) == (4, {0, 1})
