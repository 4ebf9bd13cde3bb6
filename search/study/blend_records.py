"""The blend that a study exports, as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Self

from search.study.json_keys import key

Candidate = int | str
"""A candidate for a blend: the number of a trial, or the name of a baseline."""


def candidate_name(candidate: Candidate) -> str:
    """``trial 3``, or ``seasonal naive``."""
    return f"trial {candidate}" if isinstance(candidate, int) else candidate.replace("_", " ")


@dataclass(frozen=True)
class BlendMember:
    """A member of the exported blend: a trial or a baseline.

    Attributes:
        weight: Its share; the weights of a blend sum to 1.
        trial: Number of the trial; ``None`` for a baseline.
        baseline: Name of the baseline; ``None`` for a trial.
    """

    weight: float
    trial: int | None = None
    baseline: str | None = None

    @property
    def candidate(self) -> Candidate:
        """The number of the trial, or the name of the baseline."""
        if self.trial is not None:
            return self.trial
        assert self.baseline is not None  # a member is one of the two
        return self.baseline

    def to_json(self) -> dict[str, Any]:
        """``{"trial": 3, "weight": 0.4}`` or ``{"baseline": "linear", "weight": 0.6}``."""
        what = {"trial": self.trial} if self.baseline is None else {"baseline": self.baseline}
        return {**what, "weight": self.weight}


@dataclass(frozen=True)
class SingleRecord:
    """The best trial alone, next to the blend."""

    trial: Annotated[int, key("Its number.")]
    folds: Annotated[float, key("Its mean score over the folds.", unit="metric")]
    holdout: Annotated[
        float | None, key("Its score on the holdout. `null` if the time was too short to retrain it.", unit="metric")
    ]


@dataclass(frozen=True)
class BlendRecord:
    """The exported blend.

    Attributes:
        members: The largest weight first.
        folds: Its score over the folds.
        holdout: Its score on the holdout.
        single: The best trial alone; ``None`` if no trial is complete.
    """

    members: tuple[BlendMember, ...]
    folds: float | None
    holdout: float
    single: SingleRecord | None = None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The record that ``dataclasses.asdict`` wrote."""
        members = tuple(BlendMember(**member) for member in values["members"])
        single = SingleRecord(**values["single"]) if values.get("single") else None
        return cls(members, values["folds"], values["holdout"], single)

    @property
    def alone(self) -> BlendMember | None:
        """The only member; ``None`` if there are several."""
        return self.members[0] if len(self.members) == 1 else None

    def to_json(self) -> dict[str, Any]:
        """The object that ``show --json`` prints."""
        return {
            "members": [member.to_json() for member in self.members],
            "folds": self.folds,
            "holdout": self.holdout,
            "single": asdict(self.single) if self.single else None,
        }
