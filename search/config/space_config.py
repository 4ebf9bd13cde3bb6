"""The sections ``space`` and ``compare``: what may be searched, and the families of a comparison."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from lstmgru.specs import RecurrentSpec
from lstmgru.specs.cells import CELLS
from search.config.space_values import (
    Branches,
    Cells,
    Choices,
    Depth,
    Flags,
    FloatRange,
    IntRange,
    Merges,
    NotNegative,
    Optimizers,
    Poolings,
    Positive,
    Probability,
    Schedules,
    Sizes,
    Whole,
    Width,
)
from search.config.types import Strict
from search.errors import shown

MOST_FAMILIES = 12
"""Most families of a comparison: each is searched by itself."""

FAMILIES = (
    "Families to compare, by name: the keys of `space` that differ from the study, and `mixed: true` to require at "
    "least two different cells. `null`: each built-in cell alone, stacks of LSTM and GRU, and parallel branches of "
    "different cells."
)

_CELLS = ", ".join(f"`{name}` ({cell.summary})" if cell.summary else f"`{name}`" for name, cell in CELLS.items())


class SpaceConfig(Strict):
    """What is searched whatever the task: a preset, and what replaces its values."""

    spec: ClassVar[type[RecurrentSpec]]
    """The architecture of a candidate; each of its fields but ``branches`` is a key."""

    preset: Literal["small", "standard", "full"] = Field(
        "standard",
        description="Preset that provides the values of all keys that are `null`: `small`, for quick experiments; "
        "`standard`; `full`, all available options.",
    )
    n_branches: Branches | None = Field(
        None,
        description="Number of parallel branches, each a stack of layers. `null`: the values of the preset.",
    )
    n_layers: Depth | None = Field(
        None, description="Number of recurrent layers of a branch. `null`: the values of the preset."
    )
    cell: Cells | None = Field(
        None,
        description=f"Cell of a layer, chosen for each layer: {_CELLS}, or a cell registered from Python. `null`: the "
        "values of the preset.",
    )
    hidden_size: Width | None = Field(
        None,
        description="Hidden size of a layer, chosen for each layer. `null`: the values of the preset.",
    )
    bidirectional: Flags | None = Field(
        None, description="Whether a layer is bidirectional, chosen for each layer. `null`: the values of the preset."
    )
    merge: Merges | None = Field(
        None,
        description="How the outputs of the branches are merged: `concat`, `sum`, or `gate`, a sum with learned "
        "weights. `null`: the values of the preset.",
    )
    residual: Flags | None = Field(
        None,
        description="Whether layers have residual connections, starting from the second layer. `null`: the values "
        "of the preset.",
    )
    layer_norm: Flags | None = Field(
        None,
        description="Whether layer normalization is applied to the output of each layer. `null`: the values of the "
        "preset.",
    )
    convolution: Sizes | None = Field(
        None,
        description="Kernel size of a convolution over time before the recurrent layers, and before segments; 0 "
        "disables it. `null`: the values of the preset.",
    )
    segment_length: Whole | None = Field(
        None,
        description="Number of time steps per segment that a network reads at once; 1 reads step by step. At most "
        "the shortest context or sequence. `null`: the values of the preset.",
    )
    pooling: Poolings | None = Field(
        None,
        description="Pooling of the outputs over time: `last`, `mean`, `max`, `additive` attention or `multihead` "
        "attention. `null`: the values of the preset.",
    )
    n_heads: Whole | None = Field(
        None, description="Number of attention heads of `multihead` pooling. `null`: the values of the preset."
    )
    dropout: Probability | None = Field(
        None,
        description="Dropout probability between layers and before the head. `null`: the values of the preset.",
    )
    recurrent_dropout: Probability | None = Field(
        None,
        description="Dropout probability of the recurrent state, with the same mask at all steps (Gal & Ghahramani "
        "2016). `null`: the values of the preset.",
    )
    input_noise: NotNegative | None = Field(
        None,
        description="Standard deviation of the Gaussian noise that is added in training to the normalized numbers that "
        "a network reads. Not for texts. `null`: the values of the preset.",
    )
    optimizer: Optimizers | None = Field(
        None, description="Optimizer: `adamw` or `adam`. `null`: the values of the preset."
    )
    learning_rate: Positive | None = Field(
        None, description="Learning rate. With a schedule, its maximum. `null`: the values of the preset."
    )
    schedule: Schedules | None = Field(
        None,
        description="Learning rate schedule over `training.max_epochs`, or over the epochs of the refit: "
        "`constant`, `cosine` or `one_cycle`. `null`: the values of the preset.",
    )
    batch_size: Whole | None = Field(
        None, description="Number of windows or sequences per optimizer step. `null`: the values of the preset."
    )
    weight_decay: NotNegative | None = Field(
        None,
        description="Weight decay: decoupled with `adamw` (Loshchilov & Hutter 2019), an L2 penalty "
        "with `adam`. `null`: the values of the preset.",
    )

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """Everything that is searched."""
        return tuple(name for name in cls.model_fields if name not in ("preset", "mixed"))


class FamilyConfig(SpaceConfig):
    """A family of networks: the values of the space that are replaced in it."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema["properties"].pop("preset"))

    mixed: bool = Field(False, description="Whether a network must contain at least two different cells.")

    @field_validator("preset")
    @classmethod
    def _has_the_preset_of_the_study(cls, preset: str) -> str:
        raise ValueError(f"is shared by all families; set space.preset: {preset} and remove it here")

    @model_serializer(mode="wrap")
    def _what_is_replaced(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        plain = {name: value for name, value in handler(self).items() if name != "preset" and value is not None}
        return {name: value for name, value in plain.items() if name != "mixed" or value}


class CompareConfig(Strict):
    """What ``compare`` compares; each task declares the type of its families."""

    families: Mapping[str, FamilyConfig] | None = None

    @field_validator("families")
    @classmethod
    def _can_be_compared(cls, families: Mapping[str, FamilyConfig] | None) -> Mapping[str, FamilyConfig] | None:
        if families is None:
            return None
        for name in families:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,23}", name):
                raise ValueError(
                    "must have names of 1 to 24 letters (A to Z), digits, '-' and '_', the first a letter, but one is "
                    f"{shown(name)}; rename it"
                )
        if not 2 <= len(families) <= MOST_FAMILIES:
            raise ValueError(
                f"must be 2 to {MOST_FAMILIES} families but got {len(families)}; name them by what differs, like "
                "{shallow: {n_layers: 1}, deep: {n_layers: 2}}"
            )
        return families


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
