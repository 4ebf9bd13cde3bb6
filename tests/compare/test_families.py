"""Families: what belongs to which, and what a study may name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.combinations import each_row
from helpers.comparisons import suggested
from helpers.drivers import plan_of
from helpers.running_comparisons import LABEL_STUDIES, label_plan_of
from helpers.sequence_studies import WAVES, write_label_study
from helpers.studies import TINY, write_study
from optuna.trial import FixedTrial

from lstmgru.specs import ModelSpec, parse_branches
from lstmgru.specs.cells import CELLS
from search.api import load_plan
from search.compare.families import Family, default_families, family_of, family_plan, parameters_of, study_families
from search.errors import StudyFileError
from search.space.space import MixedSpace
from search.tasks.forecasting.presets import PRESETS
from search.tasks.plan import Plan
from search.tasks.sequences.presets import LABEL_PRESETS

DEFAULT = ["lstm", "gru", "stacked", "parallel", *[name for name in CELLS if name not in ("lstm", "gru")]]

WIDE = TINY.replace("preset: small", "preset: standard\n  n_branches: [1, 2, 3]").replace(
    "[1, 2]\n  hidden", "[1, 2, 3]\n  hidden"
)


def families_of(folder: Path, text: str = WIDE, *overrides: str) -> tuple[Plan, dict[str, Family]]:
    plan = plan_of(folder, *overrides, text=text)
    return plan, {family.name: family for family in study_families(plan)}


def model(branches: str, **changes: Any) -> ModelSpec:
    return ModelSpec(parse_branches(branches), **{"context_length": 14, "pooling": "last", **changes})


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Family]:
    """The default families of a space with all cells, up to three layers and up to three branches."""
    return families_of(tmp_path_factory.mktemp("wide"))[1]


BELONGS: dict[str | None, tuple[str, ...]] = {
    "lstm": ("lstm(8)", "lstm(8) > lstm(4)", "lstm(8) | lstm(4)"),
    "gru": ("gru(8)", "gru(8) | gru(4) > gru(4)"),
    "stacked": ("lstm(8) > gru(4)", "gru(8) > lstm(4)", "gru(8) > gru(8) > lstm(4)"),
    "parallel": (
        "lstm(8) | gru(8)", "lstm(8) > gru(8) | lstm(8)", "gru(8) | fused(8)", "lstm(8) | lstm(8) | fused(4)",
    ),
    "fused": ("fused(8)", "fused(8) | fused(4)"),
    None: (
        "fused(8) > lstm(8)", "gru(8) > fused(8)", "lstm(16)", "lstm(8) > lstm(8) > lstm(8) > lstm(8)", "bi-lstm(8)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BELONGS)
def test_a_network_belongs_to_one_family_or_to_none(name: str | None, families: dict[str, Family]) -> None:
    for branches in BELONGS[name]:
        found = family_of(model(branches), list(families.values()))

        assert (found.name if found else None) == name, branches
        assert sum(each.holds(model(branches)) for each in families.values()) == (name is not None), branches


def test_what_a_family_does_not_replace_must_be_in_the_space(families: dict[str, Family]) -> None:
    inside: list[dict[str, Any]] = [
        {},
        {"context_length": 7},
        {"pooling": "additive"},
        {"n_heads": 9},  # there is no attention with heads
        {"merge": "sum"},  # there is one branch
        {"dropout": 0.4},
    ]
    outside: list[dict[str, Any]] = [{"context_length": 10}, {"pooling": "max"}, {"dropout": 0.6}]

    assert [families["gru"].holds(model("gru(8)", **changes)) for changes in inside] == [True] * 6
    assert [families["gru"].holds(model("gru(8)", **changes)) for changes in outside] == [False] * 3


@each_row(
    ("study", "preset"),
    [
        *(("forecast", preset) for preset in PRESETS),
        *zip(LABEL_STUDIES, LABEL_PRESETS["texts"], strict=True),
        *zip(LABEL_STUDIES, reversed(LABEL_PRESETS["texts"]), strict=True),
    ],
)
def test_every_family_can_be_expressed_in_every_preset(study: str, preset: str, tmp_path: Path) -> None:
    if study == "forecast":
        families = study_families(plan_of(tmp_path, f"space.preset={preset}", "space.n_layers=null", text=TINY))
    else:
        families = study_families(label_plan_of(tmp_path, LABEL_STUDIES[study], f"space.preset={preset}"))

    assert [family.name for family in families] == DEFAULT
    for family in families:
        for found, parameters in suggested(family.space, 8):
            assert family_of(found, families) is family
            assert family.space.suggest(FixedTrial(parameters))[0] == found


@pytest.mark.parametrize("name", ["lstm", "stacked", "parallel", "fused"])
def test_the_parameters_of_a_candidate_suggest_it_again(name: str, families: dict[str, Family]) -> None:
    space = families[name].space
    for _, parameters in suggested(space, 40):
        found, settings = space.suggest(FixedTrial(parameters))
        trial = FixedTrial(parameters_of(found, settings))

        assert space.suggest(trial) == (found, settings)
        assert trial.params == parameters


def test_default_families_leave_the_rest_of_the_space_alone(tmp_path: Path) -> None:
    plan, families = families_of(tmp_path)

    assert list(families) == list(default_families(plan)) == DEFAULT
    for family in families.values():
        same = {key for key, values in family.space.items() if values == plan.space[key]}
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


@each_row(
    ("families", "message"),
    [
        ("{a: {cell: lst}, b: {}}", r"compare.families.a.cell must be one of .* but got 'lst'; did you mean 'lstm'\?"),
        ("{a: {n_layer: 2}, b: {}}", r"compare.families.a.n_layer is not a known key; did you mean 'n_layers'\?"),
        ("{a: {xyz: red}, b: {}}", "families.a.xyz is not a known key; a family may have the keys of space"),
        ("{a: {preset: full}, b: {}}", "compare.families.a.preset is shared by all families; set space.preset: full"),
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


def test_a_key_that_the_data_do_not_have_is_an_error_of_its_family_alone(tmp_path: Path) -> None:
    path = write_label_study(tmp_path, WAVES + "compare: {families: {a: {tokens: word}, b: {hidden_size: 8}}}\n")

    with pytest.raises(StudyFileError, match=r"compare.families.a.tokens is for texts") as caught:
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


def test_families_have_no_first_candidates(tmp_path: Path) -> None:
    """Those of the study are none of most families; each family begins in the same way."""
    plan, families = families_of(tmp_path, TINY, "search.try_first=[{hidden_size_1: 4}]")

    assert plan.portfolio
    for family in families.values():
        narrowed = family_plan(plan, family)
        assert (narrowed.try_first, narrowed.portfolio) == ((), ())


def test_a_family_is_searched_for_its_score_within_the_bounds_of_the_study(tmp_path: Path) -> None:
    overrides = ("search.objectives=[score, latency]", "search.pruner=none", "search.bounds=n_parameters <= 900")
    plan, families = families_of(tmp_path, TINY, *overrides)

    search = family_plan(plan, families["gru"]).config.search

    assert search.objectives == ("score",)
    assert search.prefer is None
    assert search.bounds == plan.config.search.bounds
