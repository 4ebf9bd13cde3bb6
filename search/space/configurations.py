"""Configurations that someone knows already: whether they are candidates of a space, or parts of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lstmgru.errors import did_you_mean
from search.config.space_values import Choices, FloatRange, IntRange
from search.errors import Problem, shown
from search.space.space import LAYER_KEYS, Parameters, SearchSpace, Values, key_of


@dataclass(frozen=True)
class _Condition:
    """A parameter exists where ``parent`` is at least ``least``, or is ``value``."""

    parent: str
    least: int = 0
    value: str = ""

    def __str__(self) -> str:
        return f"{self.parent} is {self.value}" if self.value else f"{self.parent} is at least {self.least}"


@dataclass(frozen=True)
class _Parameter:
    """A parameter, searched or fixed: its values, and conditions that must all hold, each with its alternatives."""

    values: Values
    conditions: tuple[tuple[_Condition, ...], ...] = ()


_Known = Mapping[str, _Parameter]


def known_configurations(
    space: SearchSpace, configurations: Sequence[Mapping[str, Any]]
) -> tuple[tuple[Parameters, ...], list[Problem]]:
    """The configurations of ``search.try_first`` as trials have them, and what is wrong with them.

    Values that the space fixes are left out.

    Args:
        space: What they must be part of.
        configurations: Values by parameter; those that are left out will be suggested.
    """
    found, problems = [], []
    for number, configuration in enumerate(configurations):
        parameters, wrong = fit(space, configuration)
        found.append(parameters)
        problems += [Problem(f"search.try_first[{number}].{name}", text) for name, text in wrong.items()]
    return tuple(found), problems


def fit(space: SearchSpace, configuration: Mapping[str, Any]) -> tuple[Parameters, dict[str, str]]:
    """The values that a trial has, in the types of the space, and why others are none, as predicates of their names."""
    parameters = dict(_parameters(space))
    fitting: Parameters = {}
    problems: dict[str, str] = {}
    for name, value in configuration.items():
        if name not in parameters:
            problems[name] = f"is not a parameter of this space{_hint(name, parameters)}"
            continue
        found = _find(parameters[name].values, value)
        if found is None:
            problems[name] = f"must be {_words(parameters[name].values)} but got {shown(value)}"
        elif missing := _missing(parameters, parameters[name], configuration):
            problems[name] = missing
        elif parameters[name].values.count != 1:
            fitting[name] = found
    return fitting, problems


def complete(
    space: SearchSpace, configuration: Mapping[str, Any], elsewhere: Mapping[str, Any]
) -> tuple[Parameters, dict[str, str]]:
    """The one candidate that a configuration of another space describes, and what keeps it from being one here.

    Args:
        space: This space.
        configuration: Every parameter that the other space searched, with its value.
        elsewhere: Values that the other space fixes, by key.
    """
    parameters, values = dict(_parameters(space)), dict(configuration)
    for name, parameter in parameters.items():
        if name not in values and _missing(parameters, parameter, values) is None:
            if key_of(name) not in elsewhere:
                return {}, {name: "is not among its parameters"}
            values[name] = elsewhere[key_of(name)]
    return fit(space, values)


def _parameters(space: SearchSpace) -> Iterator[tuple[str, _Parameter]]:
    """Every parameter of any candidate, those that are fixed too; a parent stands before what depends on it."""
    n_branches, depth = int(space["n_branches"].high), int(space["n_layers"].high)
    yield "n_branches", _Parameter(space["n_branches"])
    prefixes = ["", *(f"branch_{branch}_" for branch in range(2, n_branches + 1))]
    deep = []
    for branch, prefix in enumerate(prefixes, start=1):
        there = ((_Condition("n_branches", branch),),) if branch > 1 else ()
        yield f"{prefix}n_layers", _Parameter(space["n_layers"], there)
        for number in range(1, depth + 1):
            layer = (*there, (_Condition(f"{prefix}n_layers", number),)) if number > 1 else there
            for key in LAYER_KEYS:
                yield f"{prefix}{key}_{number}", _Parameter(space[key], layer)
        deep.append(_Condition(f"{prefix}n_layers", 2))
    conditions = {
        "merge": ((_Condition("n_branches", 2),),),
        "residual": (tuple(deep),),
        "n_heads": ((_Condition("pooling", value="multihead"),),),
    }
    possible = {
        "merge": n_branches > 1,
        "residual": depth > 1,
        "n_heads": _find(space["pooling"], "multihead") is not None,
    }
    rest = [name for name, _ in space.items() if name not in (*LAYER_KEYS, "n_branches", "n_layers")]
    for name in sorted(rest, key=lambda name: name in conditions):
        if possible.get(name, True):
            yield name, _Parameter(space[name], conditions.get(name, ()))


def _missing(parameters: _Known, parameter: _Parameter, given: Mapping[str, Any]) -> str | None:
    """Why a parameter need not exist where these values are given, as its predicate; ``None`` where it does."""
    for alternatives in parameter.conditions:
        if not any(_holds(parameters, condition, given) for condition in alternatives):
            condition = next((each for each in alternatives if each.parent in given), alternatives[0])
            found = _given(parameters, condition.parent, given)
            way_out = f"but it is {found} here" if found is not None else f"so give {condition.parent} too"
            return f"is a parameter only where {condition}, {way_out}"
    return None


def _holds(parameters: _Known, condition: _Condition, given: Mapping[str, Any]) -> bool:
    """Whether a condition holds whatever else is suggested."""
    parent = parameters[condition.parent]
    if _missing(parameters, parent, given) is not None:
        return False
    value = _given(parameters, condition.parent, given)
    if condition.value:
        return bool(value == condition.value)
    least = parent.values.low if value is None else value
    return isinstance(least, int) and least >= condition.least


def _given(parameters: _Known, name: str, given: Mapping[str, Any]) -> Any:
    """The value that a parameter surely has; ``None`` if it will be suggested."""
    values = parameters[name].values
    return given.get(name, values.values[0] if isinstance(values, Choices) and values.count == 1 else None)


def _find(values: Values, value: Any) -> Any:
    """The value as the space has it; ``None`` if it does not."""
    if isinstance(values, Choices):
        same = (choice for choice in values.values if choice == value and _kind(choice) == _kind(value))
        return next(same, None)
    if isinstance(value, bool) or not isinstance(value, int if isinstance(values, IntRange) else int | float):
        return None
    if not values.low <= value <= values.high:
        return None
    steps = (value - values.low) / (values.step or 1)
    if values.step and abs(steps - round(steps)) > 1e-8:
        return None
    return float(value) if isinstance(values, FloatRange) else value


def _kind(value: Any) -> type:
    """1, 1.0 and True are equal, but only the first two are the same value of a study file."""
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


def _words(values: Values) -> str:
    if isinstance(values, Choices):
        listed = ", ".join(str(value).lower() if isinstance(value, bool) else str(value) for value in values.values)
        return f"one of {listed}" if values.count > 1 else f"{listed}, which the space fixes,"
    kind = "a whole number" if isinstance(values, IntRange) else "a number"
    steps = f" in steps of {values.step:g}" if values.step else ""
    return f"{kind} from {values.low:g} to {values.high:g}{steps}"


def _hint(name: str, parameters: _Known) -> str:
    if name in LAYER_KEYS:
        return f"; name the layer too: {name}_1"
    return did_you_mean(name, list(parameters)) or f"; it has {', '.join(parameters)}"
