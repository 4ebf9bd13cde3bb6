"""The selection of the portfolio, on matrices small enough to be worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
import pytest
from portfolio import draw
from portfolio_selection import held_out, regret, select

from search.space.portfolio import POSITIONS
from search.space.space import key_of


def matrix(*scores: tuple[float | None, ...], maximize: bool = False) -> list[dict[str, Any]]:
    """A row for each candidate and data set."""
    return [
        {"candidate": candidate, "data": f"set {number}", "score": score, "maximize": maximize, "seconds": 1.0}
        for candidate, each in enumerate(scores)
        for number, score in enumerate(each)
    ]


def test_the_regret_of_an_error_is_relative_to_the_smallest_and_at_most_1() -> None:
    regrets = regret(matrix((2.0, 10.0), (3.0, 8.0), (5.0, None)))
    assert regrets.to_numpy() == pytest.approx(np.array([[0.0, 0.25], [0.5, 0.0], [1.0, 1.0]]))


def test_the_regret_of_an_accuracy_is_relative_to_the_largest() -> None:
    regrets = regret(matrix((0.8, 1.0), (0.6, 1.0), maximize=True))
    assert regrets.to_numpy() == pytest.approx(np.array([[0.0, 0.0], [0.25, 0.0]]))


def test_candidates_are_selected_that_complement_each_other() -> None:
    """The second best on average adds nothing to the best; the two worst on average are best somewhere."""
    rows = matrix((1.1, 1.1, 1.2), (1.15, 1.15, 1.25), (1.0, 1.9, 1.9), (1.9, 1.0, 1.0))
    assert select(rows, 3) == [0, 3, 2]


def test_then_come_those_of_the_rest_that_are_better_than_the_mean() -> None:
    rows = matrix((1.0, 1.0), (1.2, 1.1), (1.1, 1.2), (1.3, 1.3), (2.0, 2.0))
    assert select(rows, 9) == [0, 1, 2, 3]
    assert select(rows, 2) == [0, 1]


def test_a_candidate_that_lacks_a_data_set_is_left_out() -> None:
    rows = matrix((2.0, 2.0), (1.0, 1.0))[:-1]
    assert select(rows, 2) == [0]


def test_a_data_set_that_is_held_out_has_no_part_in_its_selection() -> None:
    """Without the second data set, the first candidate is selected, whose regret there is 0.5."""
    rows = matrix((1.0, 1.5, 1.0), (1.2, 1.0, 1.2))
    assert held_out(rows, 1).to_dict() == pytest.approx({"set 0": 0.2, "set 1": 0.5, "set 2": 0.2})


@pytest.mark.parametrize("kind", ["forecasts", "numbers", "texts"])
def test_drawn_configurations_are_relative_and_always_the_same(kind: str) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    drawn = draw(kind, 20, 0)
    assert drawn == draw(kind, 20, 0)
    positions = {value for each in drawn for name, value in each.items() if key_of(name) in POSITIONS}
    assert positions == {0.0, 0.5, 1.0}
