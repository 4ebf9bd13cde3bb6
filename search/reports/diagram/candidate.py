"""The architecture of a trial, from what its study keeps of it: neither the data nor the model is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgru.errors import SpecError
from lstmgru.specs.registry import cell_names
from search.config.values import Choices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from search.space.space import Model, SearchSpace, Settings

_SPACE = "space."


def search_space(identity: Mapping[str, Any]) -> SearchSpace:
    """The space that a study searches, every preset filled in.

    Args:
        identity: What must not change in the study, by dotted key: its attribute ``identity``.

    Raises:
        SpecError: It holds no space, one of another version, or a cell that is not registered in this process.
    """
    from pydantic import ValidationError

    from search.space.space import SearchSpace
    from search.tasks.forecasting.config import ForecastSpaceConfig
    from search.tasks.sequences.config import SequenceSpaceConfig

    labels = identity.get("task", "forecast") != "forecast"
    config = SequenceSpaceConfig if labels else ForecastSpaceConfig
    flat = {key.removeprefix(_SPACE): value for key, value in identity.items() if key.startswith(_SPACE)}
    _check_cells(flat.get("cell", []))
    try:
        values = dict(config.model_validate(_nested(flat)))
    except ValidationError as error:
        first = error.errors()[0]
        raise SpecError(
            f"space.{first['loc'][0]} of the study is not one that this version knows: {first['msg']}"
        ) from error
    if labels and "tokens" in flat and flat["tokens"] is None:
        values["tokens"] = Choices((None,))  # sequences of numbers have none
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise SpecError(f"the study does not say what it searched: space.{missing[0]} is missing")
    kept: dict[str, Any] = {name: value for name, value in values.items() if name != "preset"}
    return SearchSpace(config, **kept)


def candidate(identity: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[Model, Settings]:
    """What a trial tried.

    Args:
        identity: Of its study, see :func:`search_space`.
        params: Of the trial.

    Raises:
        SpecError: As :func:`search_space`, or a parameter is missing.
    """
    from optuna.trial import FixedTrial

    space = search_space(identity)
    try:
        return space.suggest(FixedTrial(dict(params)))
    except SpecError:
        raise
    except ValueError as error:  # Optuna's, of a parameter that is not there
        missing = f"the trial lacks a parameter of its architecture, it has {', '.join(params) or 'none'}"
        raise SpecError(missing) from error


def _check_cells(cells: str | list[str]) -> None:
    unknown = [cell for cell in ([cells] if isinstance(cells, str) else cells) if cell not in cell_names()]
    if unknown:
        raise SpecError(
            f"the cell {unknown[0]!r} is not registered in this process; import the module that registers it first"
        )


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        name, _, inner = key.partition(".")
        if inner:
            tree.setdefault(name, {})[inner] = value
        else:
            tree[name] = value
    return tree
