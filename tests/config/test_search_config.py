"""What may stand together in the section `search`, and which sampler can search which space."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.combinations import each_row
from helpers.configs import make_config
from pydantic import ValidationError

from lstmgru.specs import ForecastSpec
from search.config.objectives import Bound
from search.config.search_config import SearchConfig
from search.errors import StudyFileError
from search.tasks.forecasting.facts import DataFacts
from search.tasks.forecasting.presets import resolve_space

TWO = {"objectives": ["score", "latency"], "pruner": "none"}


@each_row(
    ("search", "key", "message"),
    [
        ({"sampler": "gp"}, "pruner", "must be none for search.sampler: gp, which uses complete trials only"),
        ({"sampler": "nsga2", "pruner": "hyperband"}, "pruner", "must be none for search.sampler: nsga2"),
        ({"sampler": "cmaes", "pruner": "percentile"}, "pruner", "set it to none, or the sampler to tpe"),
        ({"pruner": "halving"}, "pruner", "'median', 'percentile', 'hyperband', 'successive_halving' or 'none'"),
        ({"percentile": 10}, "percentile", "is for search.pruner: percentile, but the pruner is screening; set"),
        ({"pruner": "percentile", "percentile": 100}, "percentile", "less than 100"),
        ({"objectives": ["score", "latency"], "pruner": "median"}, "objectives", "must be score alone for .*pruner"),
        ({"objectives": ["latency"]}, "objectives", r'must hold score but got \["latency"\]'),
        ({"objectives": "n_parameters"}, "objectives", "must hold score"),
        ({"objectives": ["score", "speed"]}, "objectives", "'score', 'latency', 'n_parameters' or 'train_seconds'"),
        ({"objectives": ["score", "score"]}, "objectives", "must hold each value once"),
        (
            {"objectives": ["score", "latency", "n_parameters", "train_seconds"], "pruner": "none"},
            "objectives",
            "must be at most 3 objectives but got 4",
        ),
        (TWO | {"sampler": "cmaes"}, "objectives", "must be score alone for search.sampler: cmaes"),
        (TWO, "prefer", "is missing: no trial need be best in all 2 .* like {score: 0.5, latency: 0.5}; or set"),
        (TWO | {"prefer": {"n_parameters": 1}}, "prefer", "must weigh search.objectives .score, latency. but got"),
        (TWO | {"prefer": {"latncy": 1}}, "prefer", "must weigh objectives .* but got 'latncy'; did you mean"),
        (TWO | {"prefer": {"score": -1}}, "prefer", "must hold numbers from 0 but got -1 for score"),
        (TWO | {"prefer": {"score": True}}, "prefer", "must hold numbers from 0 but got true for score"),
        (TWO | {"prefer": {"score": 0, "latency": 0}}, "prefer", "must give at least one objective a weight above 0"),
        (TWO | {"prefer": [1, 2]}, "prefer", "must give objectives their weights, like"),
        (TWO | {"prefer": {}}, "prefer", "must give objectives their weights, like"),
        ({"prefer": {"score": 1}}, "prefer", "is for several objectives, but search.objectives holds only score"),
        ({"bounds": "latency < 2"}, "bounds", "must look like 'latency <= 2ms'"),
        ({"bounds": ["latency <= 2", "latency <= 1"]}, "bounds", "must bound latency once but does so 2 times"),
        ({"bounds": "latency <= 2", "sampler": "cmaes", "pruner": "none"}, "bounds", "cannot be learnt by"),
        ({"bounds": "latency <= 2", "pruner": "hyperband"}, "bounds", "be combined with search.pruner: hyperband"),
        ({"bounds": "latency <= 2", "pruner": "successive_halving"}, "bounds", "set the pruner to median, percent"),
        ({"try_first": [{"a": 1}] * 3, "trials": 2}, "try_first", r"must be at most search.trials \(2\) .* but got 3"),
        ({"try_first": [3]}, "try_first", "must be a list of configurations, like .*, but holds 3"),
        ({"try_first": [{}]}, "try_first", "must be a list of configurations"),
        ({"try_first": [{"n_layers": [1, 2]}]}, "try_first", "must give each parameter one value but gives n_layers"),
        ({"try_first": [{"a": 1}], "sampler": "grid"}, "try_first", "cannot be combined with search.sampler: grid"),
        ({"warm_start": "old", "sampler": "grid"}, "warm_start", "cannot be combined with search.sampler: grid"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_says_why_and_what_to_use_instead(
    search: dict[str, Any], key: str, message: str
) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        SearchConfig.model_validate(search)
    assert [error["loc"][0] for error in caught.value.errors()] == [key]


@each_row(
    "search",
    [
        {"sampler": "gp", "pruner": "none", "objectives": ["score", "n_parameters"], "prefer": {"score": 1}},
        {"sampler": "nsga2", "pruner": "none", "bounds": "latency <= 2ms"},
        {"sampler": "cmaes", "pruner": "none"},
        {"sampler": "random", "pruner": "hyperband"},
        {"objectives": ["score", "latency"], "prefer": {"score": 1}},
        {"sampler": "qmc", "pruner": "successive_halving"},
        {"sampler": "grid", "bounds": ["n_parameters <= 100"]},
        {"pruner": "percentile", "percentile": 10, "bounds": ["n_parameters <= 100"]},
        TWO | {"bounds": "latency <= 2ms"},  # the best score within the bound is exported
        TWO | {"prefer": {"latency": 1}},
        {"try_first": {"n_layers": 1}},
    ],
)
def test_what_goes_together_is_taken(search: dict[str, Any]) -> None:
    taken = SearchConfig.model_validate(search)
    assert all(getattr(taken, key) != getattr(SearchConfig(), key) for key in search)


def test_values_have_one_form_however_they_are_written() -> None:
    search = SearchConfig.model_validate(
        {
            "objectives": ["latency", "score"],
            "pruner": "none",
            "bounds": "latency<=0.002",
            "prefer": {"score": 4},
            "try_first": {"n_layers": 1},
        }
    )
    assert search.objectives == ("latency", "score")
    assert search.bounds == (Bound("latency", 0.002),)
    assert search.prefer == {"score": 4.0}
    assert search.try_first == ({"n_layers": 1},)
    assert SearchConfig.model_validate(search.model_dump(mode="json")) == search
    assert search.model_dump(mode="json")["bounds"] == ["latency <= 2ms"]


@each_row(("folds", "max_epochs", "fits"), [(1, 2, False), (2, 1, False), (1, 3, True), (2, 2, True)])
@each_row("pruner", ["hyperband", "successive_halving"])
def test_a_pruner_that_would_never_decide_is_refused(pruner: str, folds: int, max_epochs: int, fits: bool) -> None:
    def study() -> None:
        make_config(search={"pruner": pruner}, splits={"folds": folds}, training={"max_epochs": max_epochs})

    if fits:
        study()
        return
    with pytest.raises(ValidationError, match=f"must be larger for search.pruner: {pruner}, .* or set search.pruner"):
        study()


NUMBERS = {
    "n_layers": 1,
    "n_branches": 1,
    "cell": "gru",
    "segment_length": 1,
    "pooling": "last",
    "decoder": "linear",
    "linear_path": False,
    "normalization": "fold",
    "context_length": 7,
    "schedule": "constant",
    "batch_size": 32,
}
"""What leaves a space of ranges: hidden size, dropout, learning rate, and a preset's weight decay."""


def problems(sampler: str, **space: Any) -> list[str]:
    """What of a space a sampler cannot search."""
    pruner = "none" if sampler in ("gp", "cmaes", "nsga2") else "median"
    config = make_config(search={"sampler": sampler, "pruner": pruner}, space=space)
    try:
        resolve_space(config, ForecastSpec(7, 7), DataFacts(n_targets=1, n_series=1, positive=False))
    except StudyFileError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.parametrize("preset", ["small", "standard", "full"])
def test_two_samplers_search_every_space(sampler: str, preset: str) -> None:
    assert problems(sampler, preset=preset) == []


@each_row(
    ("changes", "keys"),
    [
        ({}, []),
        ({"n_layers": 3}, []),
        ({"n_layers": [1, 2]}, ["space.n_layers"]),
        ({"n_layers": {"low": 1, "high": 2}}, ["space.n_layers"]),
        ({"n_layers": {"low": 1, "high": 2}, "hidden_size": 8}, []),  # then it is a parameter like any other
        ({"n_branches": {"low": 1, "high": 2}}, ["space.n_branches"]),
        ({"pooling": ["last", "multihead"], "n_heads": [2, 4]}, ["space.pooling"]),
    ],
)
def test_others_need_the_same_parameters_in_every_candidate(changes: dict[str, Any], keys: list[str]) -> None:
    for sampler in ["qmc", "gp", "nsga2", "cmaes"]:
        found = problems(sampler, preset="standard", **(NUMBERS | changes))
        conditional = [problem for problem in found if "must be one value" in problem]
        assert [problem.partition(" ")[0] for problem in conditional] == keys
        for problem in conditional:
            assert f"must be one value for search.sampler: {sampler}, which " in problem
            assert problem.endswith("; fix it, or set search.sampler to tpe or random")


@each_row(
    ("changes", "expected"),
    [
        ({}, []),
        ({"cell": ["gru", "lstm"]}, ["space.cell is a list of 2 values, and search.sampler: cmaes searches ranges"]),
        ({"batch_size": [32, 64, 128]}, ["space.batch_size is a list of 3 values"]),
        ({"merge": ["sum", "gate"], "n_heads": [2, 4]}, []),  # no candidate has them
        ({"n_branches": 2, "merge": ["sum", "gate"]}, ["space.merge is a list of 2 values"]),
        (
            {"hidden_size": 8, "dropout": 0, "weight_decay": 0},
            ["search.sampler is cmaes, which adapts how at least 2 parameters vary together, but the space has 1 with"],
        ),
        ({"n_layers": 2, "dropout": 0, "weight_decay": 0, "learning_rate": 0.001}, []),  # the sizes of two layers
        (
            {"dropout": 0, "weight_decay": 0, "learning_rate": 0.001},
            ["search.sampler is cmaes, which adapts how at least 2 parameters vary together, but the space has 1 with"],
        ),
    ],
)
def test_cma_es_searches_at_least_two_ranges_of_numbers(changes: dict[str, Any], expected: list[str]) -> None:
    found = problems("cmaes", preset="standard", **(NUMBERS | changes))
    assert len(found) == len(expected)
    assert all(problem.startswith(start) for problem, start in zip(found, expected, strict=True))
