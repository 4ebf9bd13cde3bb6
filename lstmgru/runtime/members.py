"""The members of a blend, as ``bundle.json`` describes them: networks, and fitted baselines."""

from __future__ import annotations

import math
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from lstmgru.errors import LstmGruError, SpecError, one_of

NETWORK = "network"
"""The kind of a member that is a network; other kinds are names of baselines."""


class FittedMethod(Protocol):
    """A fitted baseline of any task."""

    name: ClassVar[str]

    @property
    def n_parameters(self) -> int:
        """Numbers that it stores."""

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Everything that was learned, as plain values and arrays."""

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Self:
        """The baseline whose :meth:`state` this is."""


# The weights are decimal fractions, so their sum is 1 only up to rounding.
_SUM_TOLERANCE = 1e-6

_Method = TypeVar("_Method", bound=FittedMethod)


def stored_baseline(
    kinds: Mapping[str, type[_Method]],
    values: dict[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    probe: Callable[[_Method], tuple[npt.NDArray[Any], tuple[int, ...]]],
) -> _Method:
    """The baseline of a member.

    Args:
        kinds: The baselines of the task by name.
        values: The entry of the member in ``bundle.json``.
        arrays: Of the member.
        probe: Runs the baseline on an example; gives its outputs and the shape that they must have.

    Raises:
        KeyError: The entry is incomplete.
        SpecError: The kind is unknown, or state and arrays do not fit together or the bundle.
    """
    kind, described = values["kind"], values["arrays"]
    one_of("kind of a member", kind, (NETWORK, *kinds))
    found = {name: described_array(array) for name, array in arrays.items()}
    if found != described:
        name = min(key for key in {*found, *described} if found.get(key) != described.get(key))
        raise SpecError(
            f"the array {name} of the member {kind} must be {described.get(name, 'missing')} in weights.safetensors "
            f"but is {found.get(name, 'missing')}"
        )
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise SpecError(f"the array {name} of the member {kind} holds numbers that are NaN or infinite")
    try:
        baseline = kinds[kind].from_state(values["state"], dict(arrays))
        with np.errstate(all="ignore"):  # what is not finite is refused below
            outputs, expected = probe(baseline)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, LstmGruError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise SpecError(f"the state of the member {kind} is invalid: {what}") from error
    if outputs.shape != expected or not np.isfinite(outputs).all():
        raise SpecError(
            f"the member {kind} must predict {list(expected)} finite numbers but predicts {list(outputs.shape)}, "
            f"{int(np.isfinite(outputs).sum())} of them finite"
        )
    return baseline


def weighted_baselines(
    kinds: str,
    members: Sequence[dict[str, Any]],
    arrays: Sequence[Mapping[str, npt.NDArray[Any]]],
    probe: Callable[[Any], tuple[npt.NDArray[Any], tuple[int, ...]]],
) -> list[tuple[float, Any]]:
    """Weight and baseline of each member of a bundle that is no network.

    Args:
        kinds: Where the baselines of the task by name are: they are left of this folder in the import row, as the
            classes also fit them, which nothing here does.
        members: The entries in ``bundle.json``.
        arrays: Of each member.
        probe: As for :func:`stored_baseline`.

    Raises:
        KeyError, SpecError: As by :func:`stored_baseline`.
    """
    known = pkgutil.resolve_name(kinds)
    weights = [common_values(values)["weight"] for values in members]
    check_weights(weights)
    return [
        (weight, stored_baseline(known, values, its, probe))
        for weight, values, its in zip(weights, members, arrays, strict=True)
        if values["kind"] != NETWORK
    ]


def check_weights(weights: Sequence[float]) -> None:
    """Refuse the weights of members that are no blend.

    Raises:
        SpecError: There is none, or they are not positive with the sum 1.
    """
    if not weights:
        raise SpecError("a bundle must have at least one member but has none")
    if not (all(weight > 0 for weight in weights) and abs(math.fsum(weights) - 1) <= _SUM_TOLERANCE):
        raise SpecError(f"the weights of the members must be positive and have the sum 1 but are {weights}")


def described_array(array: npt.NDArray[Any]) -> str:
    """``float64[12, 3]``."""
    return f"{array.dtype}{list(array.shape)}"


def common_values(values: dict[str, Any]) -> dict[str, Any]:
    """The arguments that all members have, from an entry of ``bundle.json``.

    Raises:
        KeyError: There is no weight.
        SpecError: A value is not a number.
    """
    found = {"weight": values["weight"]}
    found |= {key: values[key] for key in ("trial", "score") if values.get(key) is not None}
    for key, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SpecError(f"the {key} of a member must be a number but is {value!r}")
    return found
