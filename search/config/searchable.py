"""Which spaces a sampler can search: finite ones, those with the same parameters everywhere, those of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.config.values import Choices, FloatRange, IntRange

if TYPE_CHECKING:
    from search.config.space_config import SpaceConfig

_OPENS = {
    "n_layers": "the layers that a shallow network does not have",
    "n_branches": "the branches that a single one does not have",
    "pooling": "space.n_heads",
}
"""Keys on which it depends whether other parameters exist."""
_OF_LAYER = ("cell", "hidden_size", "bidirectional")
_EVERYWHERE = {
    "qmc": "spreads candidates over parameters that all of them have",
    "gp": "learns only of parameters that all candidates have",
    "nsga2": "learns only of parameters that all candidates have",
    "cmaes": "learns only of parameters that all candidates have",
}
"""Samplers that draw a parameter at random which some candidates do not have, and why."""
_FEWEST_NUMBERS = 2
"""Parameters that CMA-ES needs: it adapts how they vary together."""


def grid_problems(space: SpaceConfig) -> dict[str, str]:
    """What keeps a grid from being laid over the values, by key: message as the predicate of the key.

    Keys that are ``None`` are not looked at: give it a space whose preset is filled in to check all.
    """
    way_out = "or set search.sampler to random or tpe"
    problems = {
        key: f"is a range without a step, which no grid can exhaust; give it a step or list its values, {way_out}"
        for key, value in space
        if isinstance(value, FloatRange) and value.count is None
    }
    problems |= {
        key: f"must be one value for a grid, which would try the same candidate again for every value of {others}; fix "
        f"it, {way_out}"
        for key, others in _OPENS.items()
        if (value := getattr(space, key)) is not None and value.count > 1 and (key != "pooling" or _opens_heads(space))
    }
    return problems


def sampler_problems(sampler: str, space: SpaceConfig) -> dict[str, str]:
    """What keeps a sampler from searching a space, by dotted key: message as the predicate of the key.

    Args:
        sampler: Its name.
        space: With its preset filled in.
    """
    if sampler == "grid":
        return {f"space.{key}": text for key, text in grid_problems(space).items()}
    if sampler not in _EVERYWHERE:
        return {}
    problems = {
        f"space.{key}": f"must be one value for search.sampler: {sampler}, which {_EVERYWHERE[sampler]}, and not "
        f"{_OPENS[key]}; fix it, or set search.sampler to tpe or random"
        for key in _conditions(space)
    }
    return _numbers_only(space) | problems if sampler == "cmaes" else problems


def _conditions(space: SpaceConfig) -> list[str]:
    """The keys on whose value it depends which parameters a candidate has."""
    searched = {key for key, values in space if not isinstance(values, str) and values.count != 1}
    return [
        *(["n_branches"] if "n_branches" in searched and searched & {*_OF_LAYER, "n_layers", "merge"} else []),
        *(["n_layers"] if "n_layers" in searched and searched & {*_OF_LAYER, "residual"} else []),
        *(["pooling"] if "pooling" in searched and _opens_heads(space) else []),
    ]


def _opens_heads(space: SpaceConfig) -> bool:
    """Whether some poolings have a number of heads to search and others do not."""
    poolings, heads = space.pooling, space.n_heads
    return poolings is not None and "multihead" in poolings.values and heads is not None and heads.count > 1


def _numbers_only(space: SpaceConfig) -> dict[str, str]:
    """What CMA-ES cannot search: lists, and less than two ranges."""
    branches, layers = (int(getattr(space, key).high) for key in ("n_branches", "n_layers"))
    heads = space.pooling is not None and "multihead" in space.pooling.values
    absent = {"merge": branches == 1, "residual": layers == 1, "n_heads": not heads}
    present = {key: values for key, values in space if not isinstance(values, str) and not absent.get(key, False)}
    problems = {
        f"space.{key}": f"is a list of {values.count} values, and search.sampler: cmaes searches ranges of numbers "
        "only; give it a range, fix it, or set search.sampler to tpe"
        for key, values in present.items()
        if isinstance(values, Choices) and values.count > 1
    }
    copies = dict.fromkeys(_OF_LAYER, branches * layers) | {"n_layers": branches}
    ranges = sum(copies.get(key, 1) for key, values in present.items() if isinstance(values, IntRange | FloatRange))
    if ranges < _FEWEST_NUMBERS:
        problems["search.sampler"] = (
            f"is cmaes, which adapts how at least {_FEWEST_NUMBERS} parameters vary together, but the space has "
            f"{ranges} with a range of numbers; search more ranges, or set it to tpe"
        )
    return problems
