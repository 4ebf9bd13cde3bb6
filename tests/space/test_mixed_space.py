"""Spaces in which every candidate has at least two different cells."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from helpers.comparisons import suggested
from helpers.drivers import plan_of
from helpers.studies import TINY

from search.space.space import MixedSpace, mixed

WIDE = TINY.replace("preset: small", "preset: standard")


def mixed_space(folder: Path, n_branches: str, n_layers: str, cells: str = "[lstm, gru, fused]") -> MixedSpace:
    keys = {"cell": cells, "n_branches": n_branches, "n_layers": n_layers}
    return mixed(plan_of(folder, *(f"space.{key}={value}" for key, value in keys.items()), text=WIDE).space)


def test_stacks_come_in_both_orders_and_parallel_ones_in_all_pairs(tmp_path: Path) -> None:
    stacked = mixed_space(tmp_path, "1", "[2, 3]", "[lstm, gru]")
    parallel = mixed_space(tmp_path, "[2, 3]", "[1, 2, 3]")

    orders = Counter(str([layer.cell for layer in found.branches[0]]) for found, _ in suggested(stacked, 60))
    pairs = {
        frozenset(layer.cell for stack in found.branches for layer in stack) for found, _ in suggested(parallel, 60)
    }

    assert {"['lstm', 'gru']", "['gru', 'lstm']"} <= orders.keys()
    assert {frozenset({"lstm", "gru"}), frozenset({"lstm", "fused"}), frozenset({"gru", "fused"})} <= pairs
    assert all(len(pair) > 1 for pair in pairs)


def test_a_cell_that_follows_from_the_others_is_no_parameter(tmp_path: Path) -> None:
    for found, parameters in suggested(mixed_space(tmp_path, "1", "2", "[lstm, gru]"), 20):
        first, second = (layer.cell for layer in found.branches[0])
        assert parameters["cell_1"] == first != second
        assert not any(name.startswith("cell_2") for name in parameters)


def test_of_several_other_cells_one_is_chosen(tmp_path: Path) -> None:
    for found, parameters in suggested(mixed_space(tmp_path, "2", "1"), 20):
        first, second = (stack[0].cell for stack in found.branches)
        assert parameters[f"branch_2_cell_1_not_{first}"] == second


def test_suggestions_are_reproducible(tmp_path: Path) -> None:
    space = mixed_space(tmp_path, "[2, 3]", "[1, 2, 3]")

    assert suggested(space, 25, seed=3) == suggested(space, 25, seed=3)
