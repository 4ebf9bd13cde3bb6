"""Families of networks: subspaces of a study's search space that are compared with each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from lstmgru.specs import RecurrentSpec
from lstmgru.specs.cells import CELLS
from search.config.objectives import SCORE
from search.config.space_config import FamilyConfig
from search.config.space_values import Choices, IntRange
from search.errors import Problem, StudyFileError
from search.space.space import LAYER_KEYS, MixedSpace, SearchSpace, Settings, Values, absent_keys, mixed
from search.tasks import task_of
from search.tasks.plan import Plan

if TYPE_CHECKING:
    from search.config.search_config import SearchConfig

EVERYWHERE = ("tpe", "random")
"""Samplers that can search every family; the first one replaces any other sampler of a study."""

_HYBRIDS = {
    "stacked": "one stack of LSTM and GRU layers, in any order",
    "parallel": "parallel stacks with different cells",
}


@dataclass(frozen=True)
class Family:
    """A subspace of a study's search space.

    Attributes:
        name: Name of the family.
        space: The subspace.
        words: What its candidates have in common.
    """

    name: str
    space: SearchSpace
    words: str

    @property
    def mixed(self) -> bool:
        """Whether every candidate has at least two different cells."""
        return isinstance(self.space, MixedSpace)

    def holds(self, model: RecurrentSpec) -> bool:
        """Whether the architecture belongs to the family."""
        cells = {layer.cell for stack in model.branches for layer in stack}
        if self.mixed and len(cells) < 2:
            return False
        return all(_contains(self.space[key], value) for key, value in _choices(model))


def family_of(model: RecurrentSpec, families: Sequence[Family]) -> Family | None:
    """The first family that contains an architecture; ``None``: no family does."""
    return next((family for family in families if family.holds(model)), None)


def study_families(plan: Plan) -> tuple[Family, ...]:
    """The families that the study file defines, or the default families.

    Raises:
        StudyFileError: A family cannot be searched; all problems are reported together.
    """
    given = plan.config.compare.families
    configs = default_families(plan) if given is None else given
    families, problems = [], []
    for name, config in configs.items():
        space, wrong = _space(plan, config)
        problems += [Problem(f"compare.families.{name}.{key}", text) for key, text in wrong.items()]
        if space is not None:
            families.append(Family(name, space, _words(config) if given is not None else _default_words(name)))
    if problems:
        raise StudyFileError(f"study '{plan.name}'", problems)
    return tuple(families)


def default_families(plan: Plan) -> dict[str, FamilyConfig]:
    """Each built-in cell alone, and hybrids of LSTM and GRU; all other keys of the space stay those of the study.

    Args:
        plan: Plan of the study. Families that need a second layer, branch or cell that the space does not have get the
            smallest value that they need.
    """
    space, two = plan.space, ["lstm", "gru"]
    searched = list(space["cell"].values or ())
    values: dict[str, dict[str, Any]] = {
        "lstm": {"cell": "lstm"},
        "gru": {"cell": "gru"},
        "stacked": {"cell": two, "n_branches": 1, "n_layers": _from_two(space["n_layers"]), "mixed": True},
        "parallel": {
            "cell": searched if len(searched) > 1 else two,
            "n_branches": _from_two(space["n_branches"]),
            "mixed": True,
        },
    }
    values |= {name: {"cell": name} for name in CELLS}  # LSTM and GRU stay in front
    return {name: task_of(plan).family.model_validate(replaced) for name, replaced in values.items()}


def family_plan(plan: Plan, family: Family) -> Plan:
    """The plan of the search of a family: that of the study with the space of the family.

    The score is the only objective, whatever the objectives of the study; the bounds of the study apply.
    """
    config = plan.config.model_copy(update={"search": _search(plan.config.search), "space": family.space.as_config()})
    return plan.narrowed(name=f"{plan.name}: {family.name}", config=config, space=family.space)


def parameters_of(model: RecurrentSpec, settings: Settings) -> dict[str, Any]:
    """Values of all parameters that any space could suggest for a candidate, by parameter."""
    values: dict[str, Any] = {"n_branches": len(model.branches), **asdict(model), **asdict(settings)}
    del values["branches"]
    cells = {layer.cell for stack in model.branches for layer in stack}
    for branch, stack in enumerate(model.branches, start=1):
        prefix = "" if branch == 1 else f"branch_{branch}_"
        values[f"{prefix}n_layers"] = len(stack)
        for number, layer in enumerate(stack, start=1):
            values |= {f"{prefix}{key}_{number}": getattr(layer, key) for key in LAYER_KEYS}
            values |= {f"{prefix}cell_{number}_not_{other}": layer.cell for other in cells - {layer.cell}}
    return values


def _search(search: SearchConfig) -> SearchConfig:
    sampler = search.sampler if search.sampler in EVERYWHERE else EVERYWHERE[0]
    replaced = {"sampler": sampler, "objectives": (SCORE,), "prefer": None, "try_first": (), "warm_start": None}
    return search.model_copy(update=replaced)


def _space(plan: Plan, config: FamilyConfig) -> tuple[SearchSpace | None, dict[str, str]]:
    """The space of a family, and its problems by key; a message is the predicate of its key."""
    replaced = {key: values for key, _ in plan.space.items() if (values := getattr(config, key)) is not None}
    whole = plan.space_config.model_copy(update=replaced)
    try:
        space = plan.resolved(whole, _search(plan.config.search))
    except StudyFileError as error:
        return None, {problem.key.removeprefix("space."): problem.message for problem in error.problems}
    problems = _problems(plan, space, mixed=config.mixed)
    return mixed(space) if config.mixed else space, problems


def _problems(plan: Plan, space: SearchSpace, *, mixed: bool) -> dict[str, str]:
    problems = plan.family_problems(space)
    fewest = min(map(int, space["n_layers"].values or ())) * min(map(int, space["n_branches"].values or ()))
    if mixed and space["cell"].count == 1:
        problems["mixed"] = "needs at least two cells to choose from, but there is one; name more in cell"
    elif mixed and fewest < 2:
        problems["mixed"] = (
            "needs at least two layers in every network, but one of a single layer is possible; set n_layers or "
            "n_branches to 2 or more"
        )
    return problems


def _from_two(values: Values) -> Any:
    """The values of at least 2 as in a study file; 2 if there are none."""
    kept = [int(value) for value in values.values or () if value >= 2] or [2]
    if isinstance(values, IntRange) and values.step is None and len(kept) > 1:
        return {"low": kept[0], "high": kept[-1]}
    return kept


def _choices(model: RecurrentSpec) -> Iterator[tuple[str, Any]]:
    """The choices of an architecture, by key of the space."""
    yield "n_branches", len(model.branches)
    for stack in model.branches:
        yield "n_layers", len(stack)
        for layer in stack:
            yield from ((key, getattr(layer, key)) for key in LAYER_KEYS)
    absent = absent_keys(model.branches, model.pooling)
    chosen = ((field.name, getattr(model, field.name)) for field in fields(model) if field.name != "branches")
    yield from ((key, value) for key, value in chosen if key not in absent)


def _contains(values: Values, value: Any) -> bool:
    if isinstance(values, Choices):
        return value in values.values
    if not values.low <= value <= values.high:
        return False
    steps = (value - values.low) / (values.step or 1)
    return values.step is None or abs(steps - round(steps)) < 1e-8


def _default_words(name: str) -> str:
    if name in _HYBRIDS:
        return _HYBRIDS[name]
    cell = CELLS[name]
    return ", ".join([f"only {cell.label} layers", *filter(None, [cell.summary])])


def _words(config: FamilyConfig) -> str:
    plain = config.model_dump(mode="json", exclude={"mixed"})
    parts = [f"{key} {_shown(value)}" for key, value in plain.items()]
    return ", ".join([*parts, *(["mixed cells"] if config.mixed else [])]) or "the study's whole space"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['low']:g} to {value['high']:g}"
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)
