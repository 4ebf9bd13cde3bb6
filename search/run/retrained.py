"""What becomes of the members of a blend once the time for their training is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lstmgru.errors import listed
from search.errors import RefitFailed
from search.run.refits import Training
from search.study.blends import Candidate, candidate_name
from search.tasks.final import Member, Refitted
from search.tasks.refit import EVERYTHING


@dataclass(frozen=True)
class Retrained:
    """The members that are exported.

    Attributes:
        members: With their trainings; their weights sum to 1.
        notes: What the time or a failure changed, a sentence each.
        cut: Whether more time would change the model.
    """

    members: tuple[Member[Any], ...]
    notes: tuple[str, ...] = ()
    cut: bool = False

    @property
    def late(self) -> tuple[Candidate, ...]:
        """Members that were trained before the holdout only."""
        return tuple(member.candidate for member in self.members if member.exported is None)


def retrained_members(
    members: Sequence[Member[Any]],
    results: Mapping[Training, Refitted],
    failures: Mapping[Training, str],
    *,
    part: str,
    everything: bool,
) -> Retrained:
    """The members that are left, with their trainings.

    A member that could not be trained before the holdout is left out, and the other weights grow in proportion. If
    nothing else is left, a network is exported with the epochs that it got. A member that could not be trained on
    everything is exported as it was scored.

    Args:
        members: Of the selected blend, the largest weight first.
        results: The trainings that ended.
        failures: Reasons of those that failed.
        part: The data of the first training of each member.
        everything: Whether they were to be trained on everything, too.

    Raises:
        RefitFailed: No member is left.
    """
    scored = {member.candidate: results.get(Training(member.candidate, part)) for member in members}
    left = [member for member in members if _is_whole(scored[member.candidate])]
    notes: list[str] = []
    if not left:
        left, note = _partial(members, scored, failures, part)
        notes.append(note)
    gone = [member.candidate for member in members if member not in left]
    failed = [each for each in gone if Training(each, part) in failures]
    notes += [
        f"{candidate_name(each)} is left out of the blend, as its refit failed: {failures[Training(each, part)]}"
        for each in failed
    ]
    if short := [each for each in gone if each not in failed]:
        notes.append(
            f"{_names(short)} left out of the blend, as the time was too short to train {_them(short)} again; rerun "
            "with a longer --timeout"
        )
    total = sum(member.weight for member in left)
    found = []
    for member in left:
        again = results.get(Training(member.candidate, EVERYTHING))
        exported = again if _is_whole(again) else None
        weight = member.weight / total
        found.append(replace(member, weight=weight, scored=scored[member.candidate], exported=exported))
    late = [member.candidate for member in found if everything and member.exported is None]
    if late:
        notes.append(
            f"{_names(late)} exported as trained before the holdout, as the time was too short to train {_them(late)} "
            "on everything; rerun with a longer --timeout"
        )
    return Retrained(tuple(found), tuple(notes), cut=len(notes) > len(failed))


def _partial(
    members: Sequence[Member[Any]],
    scored: Mapping[Candidate, Refitted | None],
    failures: Mapping[Training, str],
    part: str,
) -> tuple[list[Member[Any]], str]:
    """The first network that was trained for some epochs, and what to say of it."""
    for member in members:
        done = scored[member.candidate]
        if done is not None and member.recipe is not None:
            return [member], (
                f"the time budget cut the refit to {done.epochs} of {member.recipe.train.max_epochs} epochs; rerun "
                "with a longer --timeout"
            )
    first = members[0].candidate
    reason = failures.get(Training(first, part), "the time was too short; rerun with a longer --timeout")
    raise RefitFailed(f"the refit of {candidate_name(first)} failed: {reason}")


def _is_whole(training: Refitted | None) -> bool:
    return training is not None and not training.stopped


def _names(candidates: Sequence[Candidate]) -> str:
    return f"{listed([candidate_name(each) for each in candidates])} {'is' if len(candidates) == 1 else 'are'}"


def _them(candidates: Sequence[Candidate]) -> str:
    return "it" if len(candidates) == 1 else "them"
