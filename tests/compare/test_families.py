"""Families: what belongs to which, how mixed ones are suggested, and what a study may name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from helpers.comparisons import suggested
from helpers.drivers import plan_of
from helpers.studies import TINY, write_study
from optuna.trial import FixedTrial

from lstmgru.specs import ModelSpec, parse_branches
from search.api import load_plan
from search.compare.families import (
    Family,
    default_families,
    family_of,
    family_plan,
    parameters_of,
    study_families,
)
from search.errors import StudyFileError
from search.space.mixed_space import MixedSpace
from search.tasks.forecasting.presets import PRESETS
from search.tasks.plan import Plan

WIDE = TINY.replace("preset: small", "preset: standard\n  n_branches: [1, 2, 3]").replace(
    "[1, 2]\n  hidden", "[1, 2, 3]\n  hidden"
)


def families_of(folder: Path, text: str = WIDE, *overrides: str) -> tuple[Plan, dict[str, Family]]:
    plan = plan_of(folder, *overrides, text=text)
    return plan, {family.name: family for family in study_families(plan)}


def model(branches: str, **changes: Any) -> ModelSpec:
    return ModelSpec(parse_branches(branches), **{"context_length": 14, "pooling": "last", **changes})


@pytest.mark.parametrize(
    ("branches", "family"),
    [
        ("lstm(8)", "lstm"),
        ("lstm(8) > lstm(4)", "lstm"),
        ("lstm(8) | lstm(4)", "lstm"),
        ("gru(8)", "gru"),
        ("gru(8) | gru(4) > gru(4)", "gru"),
        ("lstm(8) > gru(4)", "stacked"),
        ("gru(8) > lstm(4)", "stacked"),
        ("gru(8) > gru(8) > lstm(4)", "stacked"),
        ("lstm(8) | gru(8)", "parallel"),
        ("lstm(8) > gru(8) | lstm(8)", "parallel"),
        ("gru(8) | fused(8)", "parallel"),
        ("lstm(8) | lstm(8) | fused(4)", "parallel"),
        ("fused(8)", "fused"),
        ("fused(8) | fused(4)", "fused"),
        ("fused(8) > lstm(8)", None),
        ("gru(8) > fused(8)", None),
        ("lstm(16)", None),
        ("lstm(8) > lstm(8) > lstm(8) > lstm(8)", None),
        ("bi-lstm(8)", None),
    ],
)
def test_a_network_belongs_to_one_family_or_to_none(branches: str, family: str | None, tmp_path: Path) -> None:
    _, families = families_of(tmp_path)

    found = family_of(model(branches), list(families.values()))

    assert (found.name if found else None) == family
    assert sum(each.holds(model(branches)) for each in families.values()) == (family is not None)


@pytest.mark.parametrize(
    ("changes", "belongs"),
    [
        ({}, True),
        ({"context_length": 7}, True),
        ({"context_length": 10}, False),
        ({"pooling": "additive"}, True),
        ({"pooling": "max"}, False),
        ({"n_heads": 9}, True),  # there is no attention with heads
        ({"merge": "sum"}, True),  # there is one branch
        ({"dropout": 0.4}, True),
        ({"dropout": 0.6}, False),
    ],
)
def test_what_a_family_does_not_replace_must_be_in_the_space(
    changes: dict[str, Any], belongs: bool, tmp_path: Path
) -> None:
    _, families = families_of(tmp_path)

    assert families["gru"].holds(model("gru(8)", **changes)) == belongs


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", ["lstm", "gru", "stacked", "parallel", "fused"])
def test_every_family_can_be_expressed_in_every_preset(preset: str, name: str, tmp_path: Path) -> None:
    _, families = families_of(tmp_path, TINY, f"space.preset={preset}", "space.n_layers=null")

    models = [found for found, _ in suggested(families[name], 30)]

    assert all(families[name].holds(found) for found in models)
    assert all(family_of(found, list(families.values())) is families[name] for found in models)


def test_stacks_come_in_both_orders_and_parallel_ones_in_all_pairs(tmp_path: Path) -> None:
    _, families = families_of(tmp_path)

    orders = Counter(
        str([layer.cell for layer in found.branches[0]]) for found, _ in suggested(families["stacked"], 60)
    )
    pairs = {
        frozenset(layer.cell for stack in found.branches for layer in stack)
        for found, _ in suggested(families["parallel"], 60)
    }

    assert {"['lstm', 'gru']", "['gru', 'lstm']"} <= orders.keys()
    assert {frozenset({"lstm", "gru"}), frozenset({"lstm", "fused"}), frozenset({"gru", "fused"})} <= pairs
    assert all(len(pair) > 1 for pair in pairs)


def test_a_cell_that_follows_from_the_others_is_no_parameter(tmp_path: Path) -> None:
    _, families = families_of(tmp_path, WIDE, "space.n_layers=2")

    for found, parameters in suggested(families["stacked"], 20):
        first, second = (layer.cell for layer in found.branches[0])
        assert parameters["cell_1"] == first != second
        assert not any(name.startswith("cell_2") for name in parameters)


def test_of_several_other_cells_one_is_chosen(tmp_path: Path) -> None:
    _, families = families_of(tmp_path, WIDE, "space.n_layers=1", "space.n_branches=2")

    for found, parameters in suggested(families["parallel"], 20):
        first, second = (stack[0].cell for stack in found.branches)
        assert parameters[f"branch_2_cell_1_not_{first}"] == second


def test_suggestions_of_a_mixed_family_are_reproducible(tmp_path: Path) -> None:
    _, families = families_of(tmp_path)

    assert suggested(families["parallel"], 25, seed=3) == suggested(families["parallel"], 25, seed=3)


@pytest.mark.parametrize("name", ["lstm", "stacked", "parallel", "fused"])
def test_the_parameters_of_a_candidate_suggest_it_again(name: str, tmp_path: Path) -> None:
    _, families = families_of(tmp_path)
    space = families[name].space
    for _, parameters in suggested(families[name], 40):
        found, settings = space.suggest(FixedTrial(parameters))
        trial = FixedTrial(parameters_of(found, settings))

        assert space.suggest(trial) == (found, settings)
        assert trial.params == parameters


def test_default_families_leave_the_rest_of_the_space_alone(tmp_path: Path) -> None:
    plan, families = families_of(tmp_path)

    assert list(families) == list(default_families(plan)) == ["lstm", "gru", "stacked", "parallel", "fused"]
    for family in families.values():
        same = {key for key, values in family.space.items() if values == getattr(plan.space, key)}
        assert {key for key, _ in plan.space.items()} - same <= {"cell", "n_branches", "n_layers"}
    assert [name for name, family in families.items() if isinstance(family.space, MixedSpace)] == [
        "stacked",
        "parallel",
    ]


def test_families_of_a_study_replace_the_default_ones(tmp_path: Path) -> None:
    both = "{cell: [gru, lstm], n_layers: 2, mixed: true}"
    text = TINY + f"compare:\n  families:\n    narrow: {{hidden_size: 4}}\n    both: {both}\n"

    plan, families = families_of(tmp_path, text)

    assert [(family.name, family.words) for family in families.values()] == [
        ("narrow", "hidden_size 4"),
        ("both", "n_layers 2, cell gru or lstm, mixed cells"),
    ]
    assert families["narrow"].space["hidden_size"].values == (4,)
    assert families["narrow"].space["cell"] == plan.space["cell"]


@pytest.mark.parametrize(
    ("families", "message"),
    [
        ("{a: {cell: lst}, b: {}}", r"compare.families.a.cell must be one of .* but got 'lst'; did you mean 'lstm'\?"),
        ("{a: {n_layer: 2}, b: {}}", r"compare.families.a.n_layer is not a known key; did you mean 'n_layers'\?"),
        ("{a: {fruit: red}, b: {}}", "families.a.fruit is not a known key; a family may hold the keys of space"),
        ("{a: {preset: full}, b: {}}", "compare.families.a.preset is one for all families; set space.preset: full"),
        ("{a: {}}", "compare.families must be 2 to 12 families but got 1; name them by what differs"),
        ("{a b: {}, c: {}}", "compare.families must have names of 1 to 24 letters .* but one is 'a b'; rename it"),
        ("{a: {hidden_size: {low: 3}}, b: {}}", "compare.families.a.hidden_size.high is missing: a range has low and"),
        ("{a: {hidden_size: {low: 0, high: 3}}, b: {}}", "families.a.hidden_size.low must be at least 1 but got 0"),
        ("{a: {context_length: 21}, b: {}}", "families.a.context_length must be at most 14, the longest of space"),
        ("{a: {segment_length: 8}, b: {}}", r"compare.families.a.segment_length must be at most the shortest .* \(7\)"),
        ("{a: {cell: gru, mixed: true}, b: {}}", "compare.families.a.mixed needs at least two cells to choose from"),
        ("{a: {mixed: true}, b: {}}", "compare.families.a.mixed needs at least two layers in every network"),
        ("[lstm, gru]", "compare.families must be a mapping of names to sections or null"),
    ],
)  # fmt: skip
def test_a_family_that_cannot_be_searched_is_an_error_that_names_it(
    families: str, message: str, tmp_path: Path
) -> None:
    path = write_study(tmp_path, TINY + f"compare: {{families: {families}}}\n")

    with pytest.raises(StudyFileError, match=message) as caught:
        load_plan(path)

    assert len(caught.value.problems) == 1


def test_all_families_are_scored_on_the_windows_of_the_study(tmp_path: Path) -> None:
    text = TINY + "compare: {families: {short: {context_length: 7}, long: {context_length: 14}}}\n"
    plan, families = families_of(tmp_path, text)

    contexts = {family_plan(plan, family).search_data().context_length for family in families.values()}

    assert contexts == {plan.search_data().context_length} == {14}


@pytest.mark.parametrize(("sampler", "used"), [("tpe", "tpe"), ("random", "random"), ("qmc", "tpe")])
def test_a_family_is_searched_by_a_sampler_that_can(sampler: str, used: str, tmp_path: Path) -> None:
    plan, families = families_of(tmp_path, TINY, f"search.sampler={sampler}", "space.n_layers=1")

    assert {family_plan(plan, family).config.search.sampler for family in families.values()} == {used}


def test_a_family_is_searched_for_its_score_within_the_bounds_of_the_study(tmp_path: Path) -> None:
    overrides = ("search.objectives=[score, latency]", "search.pruner=none", "search.bounds=n_parameters <= 900")
    plan, families = families_of(tmp_path, TINY, *overrides)

    search = family_plan(plan, families["gru"]).config.search

    assert search.objectives == ("score",)
    assert search.prefer is None
    assert search.bounds == plan.config.search.bounds
