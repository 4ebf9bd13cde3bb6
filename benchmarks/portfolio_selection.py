"""The selection of the portfolio from the scores of candidates on data sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

_LEAST_GAIN = 1e-6
"""Smaller reductions of the mean regret are none."""


def select(rows: list[dict[str, Any]], size: int) -> list[int]:
    """Candidates that complement each other.

    Each one reduces the mean regret of the best one so far most. If none does, the selection begins anew with those of
    the rest that are better than the mean candidate, so that a portfolio does not depend on single scores.

    Args:
        rows: Scores of candidates; those that lack a data set are left out.
        size: How many are selected at most.
    """
    rest = regrets = regret(rows)
    own = regrets.mean(axis=1)
    chosen: list[int] = []
    while len(chosen) < size and len(rest):
        chosen += _complementary(rest, size - len(chosen))
        rest = regrets[own < own.mean()].drop(chosen, errors="ignore")
    return chosen


def _complementary(regrets: pd.DataFrame, size: int) -> list[int]:
    """The candidates that reduce the mean regret of the best one so far, by how much they do."""
    chosen: list[int] = []
    best = np.full(regrets.shape[1], np.inf)
    while len(chosen) < min(size, len(regrets)):
        means = pd.Series(np.minimum(regrets.to_numpy(), best).mean(axis=1), regrets.index).drop(chosen)
        if best.mean() - means.min() < _LEAST_GAIN:
            break
        # Equally useful ones are told apart by their own mean regret.
        ties = means.index[means <= means.min() + _LEAST_GAIN]
        chosen.append(int(regrets.loc[ties].mean(axis=1).idxmin()))
        best = np.minimum(best, regrets.loc[chosen[-1]].to_numpy())
    return chosen


def regret(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """(candidate, data set) by how much a score is worse than the best, relative to it; at most 1."""
    frame = pd.DataFrame(rows)
    frame["loss"] = np.where(frame["maximize"], 1 - frame["score"], frame["score"])
    losses = frame.pivot(index="candidate", columns="data", values="loss").fillna(np.inf)
    complete = frame.groupby("candidate")["data"].nunique() == frame["data"].nunique()
    losses = losses[complete]
    of_scale = frame.groupby("data")["maximize"].first()
    # Relative to the best accuracy, and not to the least error, which may be 0.
    scale = losses.min().where(~of_scale, 1 - losses.min())
    return ((losses - losses.min()) / scale).clip(upper=1)


def held_out(rows: list[dict[str, Any]], size: int) -> pd.Series:
    """By data set, the regret of the best of a selection that was made without it."""
    regrets = regret(rows)
    selections = {name: select([row for row in rows if row["data"] != name], size) for name in regrets}
    return pd.Series({name: regrets.loc[members, name].min() for name, members in selections.items()})


def summary(rows: list[dict[str, Any]], members: list[int]) -> str:
    """The regrets of the portfolio as it grows, and of the candidates that it consists of."""
    regrets, frame = regret(rows), pd.DataFrame(rows)
    seconds = frame.groupby("candidate")["seconds"].mean()
    lines = [
        f"{len(regrets)} candidates, {regrets.shape[1]} data sets; mean regret of one candidate: "
        f"{regrets.mean().mean():.3f}, of the best one: {regrets.mean(axis=1).min():.3f}"
    ]
    for count in range(1, len(members) + 1):
        best = regrets.loc[members[:count]].min()
        own = regrets.loc[members[count - 1]]
        lines.append(
            f"{count}: + {members[count - 1]:3}  mean {best.mean():.3f}  worst {best.max():.3f} ({best.idxmax()})  "
            f"its own mean {own.mean():.3f}  {seconds[members[count - 1]]:.1f} s"
        )
    for count in sorted({1, 2, 4, len(members)}):
        lines.append(
            f"{count} random candidates {_of_random(regrets, count):.3f}, "
            f"selected on the other data sets {held_out(rows, count).mean():.3f}"
        )
    return "\n".join([*lines, regrets.loc[members].round(3).to_string()])


def _of_random(regrets: pd.DataFrame, size: int) -> float:
    """Mean regret of the best of random candidates."""
    generator = np.random.default_rng(0)
    draws = [generator.choice(len(regrets), size, replace=False) for _ in range(1000)]
    return float(np.mean([regrets.to_numpy()[drawn].min(axis=0).mean() for drawn in draws]))
