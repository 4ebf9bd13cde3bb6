"""A refit of a study's model on a later table, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from search.study.json_keys import key

CHAMPION_ROWS, REFITS = "champion_rows", "refits"
"""Study attributes: the fingerprint of the rows of a champion that a refit has trained, and all refits."""
Promotion = Literal["if-better", "always", "never"]
"""When the new model becomes champion."""


@dataclass(frozen=True)
class RefitRecord:
    """A training of the model of a study on a later table."""

    time: Annotated[str, key("When the refit ended.", unit="ISO 8601, UTC")]
    source: Annotated[str, key("The table.", stability="text")]
    change: Annotated[str, key("How it differs from the table that the champion was trained on.", stability="text")]
    champion: Annotated[
        float | None,
        key(
            "Score of the old champion on the rows that have arrived since. `null` if they are too few.", unit="metric"
        ),
    ]
    champion_verdict: Annotated[str, key("Whether it beats the baselines there. Empty if unknown.", stability="text")]
    beaten: Annotated[bool | None, key("Whether a baseline is at least as good there. `null` if unknown.")]
    challenger: Annotated[
        float, key("Score of the recipe on the last of these rows, trained before them.", unit="metric")
    ]
    against: Annotated[
        float | None,
        key("Score of the old champion on the same rows. `null` if it was not compared.", unit="metric"),
    ]
    promoted: Annotated[bool, key("Whether the new model became the champion.")]
    reason: Annotated[str, key("Why.", stability="text")]

    @property
    def warning(self) -> str:
        """That the old champion no longer beats the baselines; empty if it does."""
        if not self.beaten:
            return ""
        return (
            "The champion no longer beats the baselines on the rows that have arrived since. The recipe may be "
            "outdated: search again on the new table under another name (--set name=...)."
        )

    @property
    def sentence(self) -> str:
        """When, on what and with what result."""
        return f"Refit of {self.time[:10]} on {self.source}, {self.change}. {self.reason}"

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The record that ``dataclasses.asdict`` wrote."""
        return cls(**values)
