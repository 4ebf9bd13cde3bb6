"""Values of the section ``search`` with a form of their own: objectives, bounds, weights, configurations, blends,
executors, storage."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from lstmgru.errors import did_you_mean
from search.config.objectives import MOST_OBJECTIVES, OBJECTIVES, SCORE, Bound, ObjectiveName, parse_bound
from search.config.storage import checked_storage
from search.config.types import MOST_JOBS, ByShape, Text, each_once
from search.errors import shown
from search.executors import EXECUTORS, RAY
from search.executors.base import Cluster

MOST_MEMBERS = 20
"""Most members of a blend: its weights are multiples of at least one twentieth."""

PROCESSES, SPAWN = "processes", "spawn"
_CLUSTER = ("kind", *(field.name for field in fields(Cluster) if field.name != "follow"))
_PROCESSES = ("kind", "start_method")
Configuration = dict[str, bool | int | float | str]


def _objectives(value: Any) -> tuple[str, ...]:
    names = each_once(value)
    if len(names) > MOST_OBJECTIVES:
        raise ValueError(f"must be at most {MOST_OBJECTIVES} objectives but got {len(names)}; remove some")
    if SCORE not in names:
        raise ValueError(f"must hold score but got {shown(list(names))}; a model that forecasts badly is of no use")
    return names


def _bounds(value: Any) -> tuple[Bound, ...]:
    bounds = tuple(parse_bound(text) for text in each_once(value))
    names = [bound.name for bound in bounds]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"must bound {twice} once but does so {names.count(twice)} times; keep the lowest limit")
    return bounds


def _weights(value: Any) -> Any:
    """The weights of objectives, as they are."""
    if value is None:
        return None
    if not isinstance(value, dict) or not value:
        raise ValueError(
            f"must give objectives their weights, like {{score: 0.8, latency: 0.2}}, but got {shown(value)}"
        )
    for name, weight in value.items():
        if name not in OBJECTIVES:
            hint = did_you_mean(str(name), list(OBJECTIVES))
            raise ValueError(f"must weigh objectives ({', '.join(OBJECTIVES)}) but got {shown(name)}{hint}")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
            raise ValueError(f"must hold numbers from 0 but got {shown(weight)} for {name}")
    if not any(value.values()):
        raise ValueError("must give at least one objective a weight above 0 but gives all 0")
    return {name: float(weight) for name, weight in value.items()}


def _configurations(value: Any) -> Any:
    """A list of mappings of parameters to values, as they are; a space knows which they may be."""
    configurations = value if isinstance(value, list | tuple) else [value]
    for configuration in configurations:
        if not isinstance(configuration, dict) or not configuration:
            raise ValueError(
                "must be a list of configurations, like [{hidden_size_1: 64, learning_rate: 0.003}], but holds "
                f"{shown(configuration)}"
            )
        for name, values in configuration.items():
            if not isinstance(values, bool | int | float | str):
                raise ValueError(f"must give each parameter one value but gives {name} {shown(values)}")
    return tuple({str(name): values for name, values in configuration.items()} for configuration in configurations)


def _blend(value: Any) -> Any:
    """``auto``, ``off``, or the most members of a blend."""
    if value in ("auto", "off"):
        return value
    if not isinstance(value, dict) or list(value) != ["members"]:
        raise ValueError(f"must be auto, off or like {{members: 5}} but got {shown(value)}")
    count = value["members"]
    if type(count) is not int or not 1 <= count <= MOST_MEMBERS:
        raise ValueError(f"must have 1 to {MOST_MEMBERS} members but got {shown(count)}")
    return dict(value)


def _executor(value: Any) -> Any:
    """The name of an executor, where a cluster is and what a trial takes of it, or how processes are started."""
    if isinstance(value, str):
        if value not in ("auto", *EXECUTORS):
            names = ", ".join(("auto", *EXECUTORS))
            raise ValueError(
                f"must be one of {names} but got {shown(value)}{did_you_mean(value, ['auto', *EXECUTORS])}"
            )
        return value
    form = "{kind: ray, address: auto, cpus_per_trial: 1, gpus_per_trial: 0}"
    spawned = f"{{kind: {PROCESSES}, start_method: {SPAWN}}}"
    if not isinstance(value, dict) or value.get("kind") not in (RAY, PROCESSES):
        raise ValueError(f"must be the name of an executor, or like {form} or {spawned}, but got {shown(value)}")
    known = _CLUSTER if value["kind"] == RAY else _PROCESSES
    for name, content in value.items():
        if name not in known:
            hint = did_you_mean(str(name), list(known))
            raise ValueError(f"can have {', '.join(known)} but got {shown(name)}{hint}")
        if name == "start_method":
            if content != SPAWN:
                raise ValueError(f"must have {SPAWN} as start_method, like {spawned}, but got {shown(content)}")
        elif name in ("kind", "address"):
            if not isinstance(content, str):
                raise ValueError(f"must have a text as {name}, like {form}, but got {shown(content)}")
            if content.startswith("ray://"):
                raise ValueError(
                    f"has the address {shown(content)} of a Ray client, from which no search can run; use the address "
                    "auto or host:port on the network of the cluster, or submit the search with ray job submit (see "
                    "docs/cluster.md)"
                )
        elif isinstance(content, bool) or not isinstance(content, int | float) or not 0 <= content <= MOST_JOBS:
            raise ValueError(f"must have a number from 0 as {name} but got {shown(content)}")
        elif name == "gpus_per_trial" and content > 1:
            raise ValueError(f"must have at most 1 as {name}, as a network is trained on one GPU, but got {content:g}")
    return dict(value)


def cluster_of(executor: str | dict[str, Any], *, follow: bool) -> Cluster:
    """The cluster of ``search.executor``.

    Args:
        executor: As in a study file.
        follow: See :class:`Cluster`.
    """
    values = executor if isinstance(executor, dict) else {}
    return Cluster(follow=follow, **{name: value for name, value in values.items() if name != "kind"})


def is_spawned(executor: str | dict[str, Any]) -> bool:
    """Whether ``search.executor`` asks for worker processes that start as new interpreters, also on Linux."""
    return isinstance(executor, dict) and executor.get("start_method") == SPAWN


def executor_kind(executor: str | dict[str, Any]) -> str:
    """The name of the executor of ``search.executor``."""
    return executor if isinstance(executor, str) else str(executor["kind"])


Objectives = Annotated[
    tuple[str, ...],
    ByShape(
        ObjectiveName,
        ObjectiveName,
        then=_objectives,
        plain=lambda value: list(value) if isinstance(value, tuple) else value,
        held=(tuple,),
        expected="an objective or a list of them",
    ),
]
Bounds = Annotated[
    tuple[Bound, ...],
    ByShape(
        Text,
        Text,
        then=_bounds,
        plain=lambda value: [str(bound) for bound in value] if isinstance(value, tuple) else value,
        held=(tuple,),
        expected="a bound or a list of bounds",
        fewest=0,
    ),
]
Weights = Annotated[
    dict[str, float],
    BeforeValidator(_weights),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"enum": list(OBJECTIVES)},
            "additionalProperties": {"type": "number", "minimum": 0},
            "minProperties": 1,
        }
    ),
]
Blend = Annotated[
    str | dict[str, int],
    BeforeValidator(_blend),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["auto", "off"]},
                {
                    "type": "object",
                    "properties": {"members": {"type": "integer", "minimum": 1, "maximum": MOST_MEMBERS}},
                    "required": ["members"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
ExecutorChoice = Annotated[
    str | dict[str, Any],
    BeforeValidator(_executor),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["auto", *EXECUTORS]},
                {
                    "type": "object",
                    "properties": {
                        "kind": {"const": RAY},
                        "address": {"type": "string"},
                        "cpus_per_trial": {"type": "number", "minimum": 0},
                        "gpus_per_trial": {"type": "number", "minimum": 0, "maximum": 1},
                    },
                    "required": ["kind"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"kind": {"const": PROCESSES}, "start_method": {"const": SPAWN}},
                    "required": ["kind"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
StorageChoice = Annotated[str, BeforeValidator(checked_storage)]
Configurations = Annotated[
    tuple[Configuration, ...],
    BeforeValidator(_configurations),
    WithJsonSchema(
        {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": {"type": ["boolean", "number", "string"]},
                "minProperties": 1,
            },
        }
    ),
]
