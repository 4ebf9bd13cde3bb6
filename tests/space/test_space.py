"""The space: which parameters a trial has, what it can suggest, how large it is, and its grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import optuna
import pytest
import torch
from helpers.combinations import each_row

from lstmgru.nn.forecast_network import ForecastNetwork
from lstmgru.specs import MERGES, POOLINGS, ForecastSpec, InputSpec, ModelSpec
from search.config.space_config import SpaceConfig
from search.config.space_values import Choices, FloatRange, IntRange
from search.space.space import LAYER_KEYS, SearchSpace, Settings
from search.study.samplers import derive_seed, make_sampler
from search.tasks.forecasting.config import ForecastSpaceConfig, ForecastStudyConfig
from search.tasks.forecasting.facts import DataFacts
from search.tasks.forecasting.presets import resolve_space
from search.tasks.sequences.config import SequenceSpaceConfig

FORECAST = ForecastSpec(horizon=7, season_length=7)
PANEL = DataFacts(n_targets=2, n_series=3, positive=True)


def space_of(preset: str) -> SearchSpace:
    """A preset for a panel of two positive targets, in which every key has a meaning."""
    config = ForecastStudyConfig.model_validate(
        {
            "name": "shop",
            "data": {"path": "shop.csv", "time": "day", "target": ["units", "visits"], "id": "shop"},
            "forecast": {"horizon": 7},
            "splits": {"holdout": 30},
            "space": {"preset": preset},
        }
    )
    return resolve_space(config, FORECAST, PANEL)


STANDARD, FULL = space_of("standard"), space_of("full")
FIXED = FULL.replacing(
    **{name: Choices(values.values[:1]) for name, values in FULL.items() if isinstance(values, Choices)},
    n_branches=Choices((1,)),
    n_layers=Choices((1,)),
    hidden_size=Choices((8,)),
    dropout=Choices((0.1,)),
    recurrent_dropout=Choices((0.0,)),
    learning_rate=Choices((1e-3,)),
    weight_decay=Choices((0.0,)),
    input_noise=Choices((0.0,)),
)
"""One candidate."""
CONDITIONS: dict[str, Any] = {
    "n_branches": Choices((1, 2)),
    "n_layers": IntRange(low=1, high=2),
    "cell": Choices(("lstm", "fused")),
    "merge": Choices(("concat", "gate")),
    "residual": Choices((False, True)),
    "pooling": Choices(("last", "multihead", "mean")),
    "n_heads": Choices((2, 4, 8)),
}
"""Every key on which it depends whether others exist, and those that depend on them."""


def ask(space: SearchSpace, count: int, seed: int = 0) -> list[tuple[dict[str, Any], ModelSpec, Settings]]:
    """Random trials: their parameters and candidates."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    asked = []
    for _ in range(count):
        trial = study.ask()
        candidate = space.suggest(trial)
        asked.append((trial.params, *candidate))
    return asked


class Walk:
    """A trial that takes the values of given places, then always the first, and notes how many there were."""

    def __init__(self, places: tuple[int, ...]) -> None:
        self.places, self.counts = places, []  # type: ignore[var-annotated]

    def suggest_categorical(self, name: str, values: list[Any]) -> Any:
        self.counts.append(len(values))
        at = len(self.counts) - 1
        return values[self.places[at] if at < len(self.places) else 0]

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        return int(self.suggest_categorical(name, list(range(low, high + 1, step))))


def candidates(space: SearchSpace) -> Iterator[tuple[ModelSpec, Settings]]:
    """Every candidate of a space that can be counted, by walking all ways through its suggestions."""
    ways: list[tuple[int, ...]] = [()]
    while ways:
        places = ways.pop()
        walk = Walk(places)
        yield space.suggest(walk)  # type: ignore[arg-type]
        for at in range(len(places), len(walk.counts)):
            before = (*places, *(0,) * (at - len(places)))
            ways += [(*before, place) for place in range(1, walk.counts[at])]


def parameters_of(model: ModelSpec) -> set[str]:
    """The names of the parameters that a trial of ``full`` with this candidate must have."""
    names = {
        "n_branches", "layer_norm", "convolution", "segment_length", "pooling", "decoder", "linear_path", "channels",
        "normalization", "transform", "series_embedding", "dropout", "recurrent_dropout", "input_noise",
        "context_length", "optimizer", "learning_rate", "schedule", "batch_size", "weight_decay",
    }  # fmt: skip
    for number, stack in enumerate(model.branches, 1):
        prefix = "" if number == 1 else f"branch_{number}_"
        names.add(f"{prefix}n_layers")
        for layer in range(1, len(stack) + 1):
            names |= {f"{prefix}{key}_{layer}" for key in ("cell", "hidden_size", "bidirectional")}
    names |= {"merge"} if len(model.branches) > 1 else set()
    names |= {"residual"} if any(len(stack) > 1 for stack in model.branches) else set()
    return names | ({"n_heads"} if model.pooling == "multihead" else set())


def test_a_trial_has_the_parameters_that_mean_something_for_it_and_no_others() -> None:
    conditions = set()
    for params, model, _ in ask(FULL, 200):
        assert set(params) == parameters_of(model)
        conditions |= {("branches", len(model.branches)), ("heads", model.pooling), ("residual", model.residual)}
    assert len(conditions) == 3 + len(POOLINGS) + 2, "every condition was met"


def test_what_does_not_mean_anything_has_the_value_of_its_absence() -> None:
    space = FIXED.replacing(merge=Choices(("gate",)), residual=Choices((True,)), n_heads=Choices((4,)))
    ((params, model, _),) = ask(space, 1)
    assert params == {}
    assert (model.merge, model.residual, model.n_heads) == ("concat", False, 1)
    deep = space.replacing(n_branches=Choices((2,)), n_layers=Choices((2,)), pooling=Choices(("multihead",)))
    ((_, model, _),) = ask(deep, 1)
    assert (model.merge, model.residual, model.n_heads) == ("gate", True, 4)


def test_every_order_and_mix_of_cells_can_be_found_in_every_topology() -> None:
    space = FIXED.replacing(
        n_branches=Choices((1, 2)), n_layers=Choices((1, 2)), cell=Choices(("lstm", "gru", "fused"))
    )
    cells = [f"{cell}(8)" for cell in ("lstm", "gru", "fused")]
    stacks = cells + [f"{a} > {b}" for a in cells for b in cells]
    found = {model.stacks for model, _ in candidates(space)}
    assert found == {*stacks, *(f"{a} | {b}" for a in stacks for b in stacks)}


def test_each_layer_has_a_width_and_a_direction_of_its_own() -> None:
    space = FIXED.replacing(n_layers=Choices((2,)), hidden_size=Choices((8, 16)), bidirectional=Choices((False, True)))
    layers = [f"{way}lstm({size})" for way in ("", "bi-") for size in (8, 16)]
    assert {model.stacks for model, _ in candidates(space)} == {f"{a} > {b}" for a in layers for b in layers}


def test_a_fixed_value_is_no_parameter_and_is_used() -> None:
    space = FIXED.replacing(weight_decay=Choices((0.25,)), learning_rate=Choices((0.5,)), cell=Choices(("lstm", "gru")))
    ((params, model, settings),) = ask(space, 1)
    assert (settings.weight_decay, settings.learning_rate, model.dropout) == (0.25, 0.5, 0.1)
    assert set(params) == {"cell_1"}


@pytest.mark.parametrize("space", [STANDARD, FULL], ids=["standard", "full"])
def test_the_parameters_of_a_trial_give_its_candidate_back(space: SearchSpace) -> None:
    for params, model, settings in ask(space, 50, seed=3):
        assert space.suggest(optuna.trial.FixedTrial(params)) == (model, settings)


def test_every_candidate_of_the_full_space_is_a_network_that_forecasts() -> None:
    inputs = InputSpec(2, 5, 2, categories=((4, 3),), n_static=2, static_categories=((1, 3),), n_series=3, padded=True)
    narrow = FULL.replacing(hidden_size=IntRange(low=8, high=24, log=True))
    for _, model, settings in ask(narrow, 30, seed=5):
        quantiles = FORECAST.quantiles if settings.loss == "quantile" else (0.5,)
        network = ForecastNetwork(model, inputs, horizon=FORECAST.horizon, quantiles=quantiles)
        example = network.example_input()
        assert network(*example).shape == (2, 7, 2, len(quantiles))
        loss = network.loss(example, torch.ones(2, 7, 2), settings.loss)  # type: ignore[arg-type]
        assert loss.isfinite(), model.architecture


@each_row(
    "changes",
    [
        CONDITIONS,
        {"n_layers": Choices((2,)), "residual": Choices((False, True)), "cell": Choices(("lstm", "gru"))},
        {"n_layers": Choices((1,)), "residual": Choices((False, True)), "merge": Choices(("sum", "gate"))},
        {"n_branches": IntRange(low=1, high=3), "merge": Choices(MERGES)},
        {"n_branches": Choices((2,)), "n_layers": Choices((3, 1)), "residual": Choices((False, True))},
        {"bidirectional": Choices((False, True)), "n_layers": IntRange(low=1, high=3)},
        {"pooling": Choices(POOLINGS), "n_heads": IntRange(low=1, high=4), "layer_norm": Choices((False, True))},
        {"weight_decay": FloatRange(low=0.0, high=0.2, step=0.1), "hidden_size": IntRange(low=8, high=16, step=4)},
        {"schedule": Choices(("constant", "cosine")), "batch_size": Choices((32, 64)), "n_heads": Choices((2, 4))},
    ],
)  # fmt: skip
def test_the_size_is_the_number_of_different_candidates(changes: dict[str, Any]) -> None:
    space = FIXED.replacing(**changes)
    if isinstance(space["weight_decay"], FloatRange):
        space = space.replacing(weight_decay=Choices(space["weight_decay"].values or ()))
    every = list(candidates(space))
    assert len(every) == len(set(every)) == space.size
    assert FIXED.replacing(**changes).size == space.size


def test_a_space_of_ranges_has_no_size() -> None:
    assert FIXED.replacing(dropout=FloatRange(low=0.0, high=0.5)).size is None
    assert FULL.size is STANDARD.size is None
    assert FIXED.size == 1


def test_architecture_strings_tell_different_architectures_apart() -> None:
    """All that a string leaves out is the context and the dropouts."""
    whole: dict[str, Any] = {
        name: values for name, values in FULL.items()
        if isinstance(values, Choices) and name in ModelSpec.__dataclass_fields__
            and name not in ("context_length", "convolution", "linear_path")
    }  # fmt: skip
    small = {
        "n_branches": Choices((1, 2)),
        "n_layers": Choices((1, 2)),
        "merge": Choices(("concat", "gate")),
        "bidirectional": Choices((False, True)),
        "residual": Choices((False, True)),
        "pooling": Choices(("last", "mean", "multihead")),
        "n_heads": Choices((2, 4)),
        "decoder": Choices(("linear", "parallel")),
        "normalization": Choices(("fold", "last", "mean")),
    }
    beside = {
        "n_branches": Choices((1, 2)),
        "pooling": Choices(("last", "mean")),
        "decoder": Choices(("linear", "parallel")),
        "convolution": Choices((0, 3, 5)),
        "segment_length": Choices((1, 2)),
        "linear_path": Choices((False, True)),
        "normalization": Choices(("fold", "last")),
        "hidden_size": Choices((8, 9, 10)),
    }
    for changes in (whole, small, beside):
        models = {model for model, _ in candidates(FIXED.replacing(**changes))}
        assert len({model.architecture for model in models}) == len(models) > 1000


GRID = FIXED.replacing(
    n_branches=Choices((2,)),
    n_layers=Choices((2,)),
    cell=Choices(("lstm", "gru")),
    merge=Choices(("sum", "gate")),
    residual=Choices((False, True)),
    pooling=Choices(("multihead",)),
    n_heads=Choices((2, 4)),
    weight_decay=FloatRange(low=0.0, high=0.2, step=0.1),
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"n_branches": Choices((1,)), "pooling": Choices(("mean", "last"))},
        {"n_branches": Choices((1,)), "pooling": Choices(("last", "multihead")), "n_heads": Choices((4,))},
        {"n_layers": Choices((1,)), "hidden_size": IntRange(low=8, high=16, step=4)},
        {"cell": Choices(("gru",)), "bidirectional": Choices((False, True)), "n_heads": Choices((1,))},
    ],
)
def test_a_grid_visits_every_candidate_once(changes: dict[str, Any]) -> None:
    space = GRID.replacing(**changes)
    study, seen = optuna.create_study(), []
    for number in range(space.size or 0):
        study.sampler = make_sampler("grid", seed=0, number=number, grid=space.grid())
        trial = study.ask()
        seen.append(space.suggest(trial))
        study.tell(trial, 1.0)
    assert len(seen) == len(set(seen)) == space.size
    every = space.replacing(weight_decay=Choices(space["weight_decay"].values or ()))
    assert set(seen) == set(candidates(every))


def test_the_longest_context_is_that_of_any_candidate() -> None:
    assert STANDARD["context_length"].high == 56
    assert STANDARD.replacing(context_length=IntRange(low=5, high=50, step=5))["context_length"].high == 50


@pytest.mark.parametrize(
    ("key", "values", "words"),
    [
        ("hidden_size", Choices((16, 32)), "16, 32"),
        ("residual", Choices((False, True)), "false, true"),
        ("hidden_size", IntRange(low=16, high=64), "16 to 64"),
        ("hidden_size", IntRange(low=16, high=64, log=True), "16 to 64 (log)"),
        ("dropout", FloatRange(low=0.0, high=0.5, step=0.1), "0 to 0.5 in steps of 0.1"),
    ],
)
def test_a_space_is_described_in_words(key: str, values: Any, words: str) -> None:
    assert FIXED.replacing(**{key: values}).describe()[key] == words


def test_a_space_is_written_as_a_study_file_holds_it() -> None:
    written = FULL.to_dict()
    assert written["cell"] == ["lstm", "gru", "fused"]
    assert written["hidden_size"] == {"low": 8, "high": 256, "log": True}
    assert written["loss"] == "mae"
    assert list(written) == [name for name, _ in FULL.items()]


@pytest.mark.parametrize("name", ["tpe", "random"])
def test_a_suggestion_depends_on_the_seed_the_number_and_the_history_alone(name: str) -> None:
    """An interrupted study goes on with the very suggestions that it would have made."""

    def suggestions(seed: int, pause_at: int) -> list[dict[str, Any]]:
        study = optuna.create_study()
        params = []
        for number in range(14):
            if number == pause_at:
                finished = study.trials
                study = optuna.create_study()
                study.add_trials(finished)
            study.sampler = make_sampler(name, seed=seed, number=number)  # type: ignore[arg-type]
            trial = study.ask()
            model, _ = FULL.suggest(trial)
            study.tell(trial, float(model.context_length + len(model.branches)))
            params.append(trial.params)
        return params

    assert suggestions(1, pause_at=99) == suggestions(1, pause_at=12)
    assert suggestions(1, pause_at=99) != suggestions(2, pause_at=99)


def test_trials_have_seeds_of_their_own() -> None:
    assert len({derive_seed(seed, number) for seed in range(3) for number in range(50)}) == 150


@pytest.mark.parametrize("section", [ForecastSpaceConfig, SequenceSpaceConfig])
def test_the_keys_of_a_space_are_those_of_the_architecture_and_of_the_training_settings(
    section: type[SpaceConfig],
) -> None:
    architecture = {field.name for field in fields(section.spec)} - {"branches"}
    settings = {field.name for field in fields(Settings)} & set(section.keys())
    assert set(section.keys()) == {"n_branches", "n_layers", *LAYER_KEYS} | architecture | settings


def test_a_space_without_one_of_its_keys_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must have the keys of ForecastSpaceConfig, but they differ in \['merge'\]"):
        SearchSpace(ForecastSpaceConfig, **{key: values for key, values in FIXED.items() if key != "merge"})
