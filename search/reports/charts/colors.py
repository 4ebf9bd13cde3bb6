"""One color per cell, family and baseline on every page: names of CSS classes that the style sheet defines."""

from __future__ import annotations

from collections.abc import Iterable

from lstmgru.specs.cells import cell_names

_CELLS = {"lstm": "blue", "gru": "orange", "fused": "green", "stacked": "purple", "parallel": "sky"}
"""The built-in cells and the default families of hybrids."""
_BASELINES = {
    **dict.fromkeys(("naive", "majority", "mean"), "grey"),
    **dict.fromkeys(("seasonal_naive", "nearest_neighbor"), "brown"),
    **dict.fromkeys(("linear", "ridge", "tfidf_logistic", "tfidf_ridge"), "red"),
    **dict.fromkeys(("channel_linear", "minirocket"), "pink"),
    **dict.fromkeys(("ets", "croston"), "olive"),
    **dict.fromkeys(("theta", "adida"), "maroon"),
    "trees": "teal",
}
_OTHERS = ("pink", "teal", "olive", "brown", "red", "grey", "blue", "orange", "green", "purple", "sky")


def cell_color(name: str) -> str:
    """The color of a cell; those without one of their own get the others in the order in which they are registered."""
    others = [cell for cell in cell_names() if cell not in _CELLS]
    place = others.index(name) if name in others else 0
    return _CELLS.get(name) or _OTHERS[place % len(_OTHERS)]


def family_colors(names: Iterable[str]) -> dict[str, str]:
    """The color of each family: that of its cell; the others get the rest in the order of their names."""
    every = sorted(names)
    found = {name: cell_color(name) for name in every if name in (*_CELLS, *cell_names())}
    for name in every:
        rest = [color for color in _OTHERS if color not in found.values()] or list(_OTHERS)
        found.setdefault(name, rest[0])
    return found


def baseline_color(name: str) -> str:
    """The color of a baseline."""
    return _BASELINES.get(name, "olive")
