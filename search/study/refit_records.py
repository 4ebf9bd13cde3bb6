"""A refit of a study's model on a later table, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

CHAMPION_ROWS, REFITS = "champion_rows", "refits"
"""Study attributes: the fingerprint of the rows of a champion that a refit has trained, and all refits."""
Promotion = Literal["if-better", "always", "never"]
"""When the new model becomes champion."""


@dataclass(frozen=True)
class RefitRecord:
    """A refit.

    Attributes:
        time: When it ended, in ISO 8601, UTC.
        source: The table.
        change: How the table differs from the one that the champion learned from, in words.
        champion: Score of the old champion on the rows that came since; ``None``: they are too few.
        champion_verdict: Whether it beats the baselines there, a sentence; empty if it was not scored.
        beaten: Whether a baseline is at least as good there; ``None`` if that is unknown.
        challenger: Score of the recipe on the last of these rows, trained before them.
        against: Score of the old champion on the same rows; ``None`` if it was not compared.
        promoted: Whether the new model is the champion now.
        reason: Why, a sentence.
    """

    time: str
    source: str
    change: str
    champion: float | None
    champion_verdict: str
    beaten: bool | None
    challenger: float
    against: float | None
    promoted: bool
    reason: str

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
