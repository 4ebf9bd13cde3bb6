"""The data and settings of a study that its trials depend on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from search.errors import StudyMismatch

if TYPE_CHECKING:
    from search.study.table_rows import TableChange

DIGEST = "data.digest"
"""Key of the digest of the data."""
SCORED_AFTER = "folds_scored_after"
"""Key of the rule by which the folds of complete trials were scored."""


@dataclass(frozen=True)
class Identity:
    """Data and settings that trials depend on, as flat JSON values.

    An absent key equals a key at its default, on either side, so a study that was created before a key existed can be
    resumed.

    Attributes:
        values: By dotted key: ``forecast.horizon``.
        defaults: Of the keys that have one.
    """

    values: dict[str, Any]
    defaults: dict[str, Any]

    @classmethod
    def of_sections(cls, values: Mapping[str, Any], defaults: Mapping[str, Any]) -> Self:
        """From values and defaults by section and key, as in a study file."""
        return cls(dict(_flatten(values)), dict(_flatten(defaults)))

    def differences(self, stored: Mapping[str, Any]) -> list[str]:
        """The differences from the identity stored in a study: ``["forecast.horizon was 7, is 14"]``."""
        absent = "absent"
        pairs = {
            key: [side.get(key, self.defaults.get(key, absent)) for side in (stored, self.values)]
            for key in sorted({*stored, *self.values})
        }
        return [f"{key} was {then}, is {now}" for key, (then, now) in pairs.items() if then != now]

    def with_values(self, **more: Any) -> Self:
        """The same with more values."""
        return replace(self, values={**self.values, **more})


def check_same(
    name: str,
    identity: Identity,
    stored: Mapping[str, Any],
    change: Callable[[], TableChange | None],
    refit: str,
    *,
    scored: bool,
) -> dict[str, Any]:
    """Check that a stored study has the same data and settings.

    Args:
        name: Of the study.
        identity: Of the study as it would be run now.
        stored: Of the study as it was begun.
        change: How the rows of its table differ from those that are stored; ``None`` if they are not stored.
        refit: The command that trains its model on more rows.
        scored: Whether a trial is complete; before that, nothing was scored by the rule of an earlier version.

    Returns:
        What to store from now on.

    Raises:
        StudyMismatch: The message lists the differences.
    """
    kept = dict(stored)
    if not scored and SCORED_AFTER in identity.values:
        kept[SCORED_AFTER] = identity.values[SCORED_AFTER]
    differences = identity.differences(kept)
    if not differences:
        return kept
    if len(differences) == 1 and differences[0].startswith(f"{SCORED_AFTER} "):
        raise StudyMismatch(
            f"study '{name}' was begun by an earlier version, whose scores cannot be compared with new ones: "
            f"{differences[0]}; start over with --fresh, which removes its trials, or keep it and choose another name "
            "with --set name=..."
        )
    way_out = "restore the settings, start over with --fresh, or choose another name with --set name=..."
    for place, text in enumerate(differences):
        if text.startswith(f"{DIGEST} ") and (found := change()) is not None:
            differences[place] = f"{text} ({found})"
            if found.more:
                way_out += f"; or train its model on the new rows: {refit}"
    raise StudyMismatch(f"study '{name}' exists with other settings: {'; '.join(differences)}; {way_out}")


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted key as a tree: ``{"forecast": {"horizon": 7}}``."""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        *sections, name = key.split(".")
        place = tree
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value
    return tree


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for key, value in tree.items():
        if isinstance(value, dict):
            flat += _flatten(value, f"{prefix}{key}.")
        else:
            flat.append((f"{prefix}{key}", list(value) if isinstance(value, tuple) else value))
    return flat
