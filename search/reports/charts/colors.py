"""One color per cell, family and baseline on every page: names of CSS classes that the style sheet defines."""

from __future__ import annotations

from collections.abc import Iterable

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
_OTHERS = ("brown", "red", "pink", "teal", "olive", "grey", "blue", "orange", "green", "purple", "sky")


def cell_color(name: str) -> str:
    """The color of a cell; custom cells share one."""
    return _CELLS.get(name, "pink")


def family_colors(names: Iterable[str]) -> dict[str, str]:
    """The color of each family; those without one of their own get the others in the order of their names."""
    found: dict[str, str] = {}
    for name in sorted(names):
        rest = [color for color in _OTHERS if color not in found.values()] or list(_OTHERS)
        found[name] = _CELLS.get(name) or rest[0]
    return found


def baseline_color(name: str) -> str:
    """The color of a baseline."""
    return _BASELINES.get(name, "olive")
