"""The sections ``space`` and ``compare``: what may be searched, and the families of a comparison."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from search.config.types import Strict
from search.config.values import (
    Branches,
    Cells,
    Depth,
    Flags,
    Merges,
    NotNegative,
    Optimizers,
    Poolings,
    Positive,
    Probability,
    Schedules,
    Whole,
    Width,
)
from search.errors import shown

MOST_FAMILIES = 12
"""Most families of a comparison: each is searched by itself."""

FAMILIES = (
    "Families that are compared, by name: the keys of `space` that are different in each, and `mixed: true` where at "
    "least two different cells must occur. `null`: LSTM only, GRU only, stacks of both, both side by side, and fused "
    "cells."
)


class SpaceConfig(Strict):
    """What is searched whatever the task: a preset, and what replaces its values."""

    preset: Literal["small", "standard", "full"] = Field(
        "standard",
        description="Where the values of the keys that are `null` come from: `small`, for a first look; `standard`; "
        "`full`, everything that there is.",
    )
    n_branches: Branches | None = Field(
        None, description="Stacks of layers side by side, at most 8. `null`: as in the preset."
    )
    n_layers: Depth | None = Field(
        None, description="Number of recurrent layers of a stack, at most 16. `null`: as in the preset."
    )
    cell: Cells | None = Field(
        None,
        description="Cell of a layer, chosen for each layer: `lstm`, `gru`, `fused` (GRU's gates on LSTM's memory), or "
        "one that was registered from Python. `null`: as in the preset.",
    )
    hidden_size: Width | None = Field(
        None,
        description="Hidden size of a layer in features, at most 16384, chosen for each layer. "
        "`null`: as in the preset.",
    )
    bidirectional: Flags | None = Field(
        None, description="Whether a layer reads in both directions, chosen for each layer. `null`: as in the preset."
    )
    merge: Merges | None = Field(
        None,
        description="How branches become one: `concat`, `sum`, or `gate`, a weighted sum with learned weights. `null`: "
        "as in the preset.",
    )
    residual: Flags | None = Field(
        None,
        description="Whether the input of a layer is added to its output, from the second layer on. "
        "`null`: as in the preset.",
    )
    layer_norm: Flags | None = Field(
        None, description="Whether the output of each layer is normalized. `null`: as in the preset."
    )
    segment_length: Whole | None = Field(
        None,
        description="Steps that are read at once; 1 reads step by step. At most the shortest context or sequence. "
        "`null`: as in the preset.",
    )
    pooling: Poolings | None = Field(
        None,
        description="What is made of the outputs at all steps: the `last`, their `mean` or `max`, `additive` or "
        "`multihead` attention. `null`: as in the preset.",
    )
    n_heads: Whole | None = Field(None, description="Heads of a multi-head attention. `null`: as in the preset.")
    dropout: Probability | None = Field(
        None,
        description="Probability of dropping a feature between layers and before the head, from 0 to below 1. "
        "`null`: as in the preset.",
    )
    recurrent_dropout: Probability | None = Field(
        None,
        description="Probability of dropping a unit of a layer's own state, the same at all steps (Gal & Ghahramani "
        "2016), from 0 to below 1. `null`: as in the preset.",
    )
    optimizer: Optimizers | None = Field(None, description="`adamw` or `adam`. `null`: as in the preset.")
    learning_rate: Positive | None = Field(
        None, description="Step size of the optimizer, above 0; of a schedule, the largest. `null`: as in the preset."
    )
    schedule: Schedules | None = Field(
        None,
        description="Course of the learning rate over `training.max_epochs`, in the refit over its epochs: `constant`, "
        "`cosine` or `one_cycle`. `null`: as in the preset.",
    )
    batch_size: Whole | None = Field(
        None, description="Windows or sequences in one step of the optimizer. `null`: as in the preset."
    )
    weight_decay: NotNegative | None = Field(
        None,
        description="Weight decay from 0; decoupled with `adamw` (Loshchilov & Hutter 2019), else an L2 penalty. "
        "`null`: as in the preset.",
    )


class FamilyConfig(SpaceConfig):
    """A family of networks: the values of the space that are replaced in it."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema["properties"].pop("preset"))

    mixed: bool = Field(False, description="Whether at least two different cells must occur.")

    @field_validator("preset")
    @classmethod
    def _has_the_preset_of_the_study(cls, preset: str) -> str:
        raise ValueError(f"is one for all families; set space.preset: {preset} and leave it out here")

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
