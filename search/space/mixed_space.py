"""A space in which every candidate has at least two different cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from lstmgru.specs import RecurrentSpec
from search.config.values import Choices
from search.space.configurations import key_of
from search.space.space import SearchSpace, Settings

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

_CELL = "cell"


class MixedSpace(SearchSpace):
    """A space without the networks whose layers all have the same cell.

    Cells are suggested layer by layer. If all layers but the last have the same cell, the last layer gets a different
    one: a single alternative is no parameter of the trial, several alternatives are the choices of the parameter
    ``cell_2_not_lstm``. No suggestion is rejected, so the sampler learns from all of them and trials are reproducible.
    """

    def suggest(self, trial: BaseTrial) -> tuple[RecurrentSpec, Settings]:
        """Suggest a candidate; with a :class:`optuna.trial.FixedTrial`, the candidate of given parameters."""
        return super().suggest(cast("BaseTrial", _MixingTrial(trial, self)))


def mixed(space: SearchSpace) -> MixedSpace:
    """The part of a space in which every candidate has at least two different cells."""
    return MixedSpace(space.kind, **dict(space.items()))


class _MixingTrial:
    """Passes suggestions on to a trial, except for the cell of the last layer if it has to differ."""

    def __init__(self, trial: BaseTrial, space: SearchSpace) -> None:
        self._trial, self._space = trial, space
        self._known: dict[str, Any] = {}
        self._cells: list[str] = []

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        self._known[name] = value = self._trial.suggest_int(name, low, high, step=step, log=log)
        return value

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        return self._trial.suggest_float(name, low, high, step=step, log=log)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        if key_of(name) == _CELL:
            self._cells.append(self._suggest_cell(name, choices))
            return self._cells[-1]
        self._known[name] = value = self._trial.suggest_categorical(name, choices)
        return value

    def _suggest_cell(self, name: str, choices: Sequence[str]) -> str:
        if name != self._last_cell() or len(set(self._cells)) != 1:
            return self._trial.suggest_categorical(name, choices)
        others = [cell for cell in choices if cell != self._cells[0]]
        if len(others) == 1:
            return others[0]
        # Optuna requires the same choices for a parameter in all trials, and these depend on the other layers.
        return self._trial.suggest_categorical(f"{name}_not_{self._cells[0]}", others)

    def _last_cell(self) -> str:
        """Name of the parameter of the last layer's cell, as far as it is known yet."""
        n_branches = self._value("n_branches", self._space["n_branches"])
        prefix = "" if n_branches == 1 else f"branch_{n_branches}_"
        return f"{prefix}{_CELL}_{self._value(f'{prefix}n_layers', self._space['n_layers'])}"

    def _value(self, name: str, values: Any) -> Any:
        return values.values[0] if isinstance(values, Choices) and values.count == 1 else self._known.get(name)
