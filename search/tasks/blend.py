"""The job that selects the members of a blend from the out-of-fold outputs of trials and baselines."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmgru.evaluation.blending import Criterion, Rank, blended_folds, same_shapes, select
from search.config.objectives import Bound, Goal
from search.study.blend_records import Candidate
from search.study.out_of_fold import Outputs

if TYPE_CHECKING:
    from lstmgru.evaluation.blending import Folds
    from search.executors.base import JobContext
    from search.tasks.data import TaskData


@dataclass(frozen=True)
class BlendJob:
    """What a blend is selected from.

    Attributes:
        data: Of the study.
        outputs: The kept outputs of each candidate, the simplest one first.
        costs: Of each trial: what bounds limit, by name.
        bounds: They hold for the sum over the trials of a blend.
        members: Most members.
        earlier: Weights of the members of an earlier blend of this study, which is kept unless another one is better.
    """

    data: TaskData
    outputs: Mapping[Candidate, Outputs]
    costs: Mapping[Candidate, Mapping[str, float]]
    bounds: tuple[Bound, ...]
    members: int
    earlier: Mapping[Candidate, float] | None = None


@dataclass(frozen=True)
class Chosen:
    """The members of a blend.

    Attributes:
        weights: Of each member, the largest first; they sum to 1.
        score: Over the folds, on the kept outputs.
    """

    weights: dict[Candidate, float]
    score: float


@dataclass(frozen=True)
class Selected:
    """The result of the job.

    Attributes:
        chosen: The blend; ``None`` if no candidate has usable outputs and satisfies the bounds.
        unusable: Candidates whose outputs do not belong to these data.
    """

    chosen: Chosen | None
    unusable: tuple[Candidate, ...] = ()


def select_blend(job: BlendJob, context: JobContext) -> Selected:
    """Select the members of a blend, see :mod:`lstmgru.evaluation.blending`.

    A baseline whose outputs are the same for all cases, such as the majority class, is no member beside others where
    the score is one of the chosen classes: it only shrinks their probabilities, which such a score does not see.
    """
    del context  # it takes seconds at most
    fitting = [each for each, outputs in job.outputs.items() if job.data.fits(outputs)]
    unusable = tuple(each for each in job.outputs if each not in fitting)
    criterion = job.data.criterion()
    informed = fitting
    if criterion.tie_break is not None:
        informed = [each for each in fitting if not (isinstance(each, str) and _constant(job.outputs[each]))]
    chosen = _select(job, informed, criterion)
    if chosen is None and len(informed) < len(fitting):
        chosen = _select(job, fitting, criterion)
    return Selected(chosen, unusable)


def _select(job: BlendJob, usable: Sequence[Candidate], criterion: Criterion) -> Chosen | None:
    """The best blend of some candidates; ``None`` if none of them satisfies the bounds and has a score."""
    candidates = same_shapes([job.outputs[each] for each in usable])

    def allowed(positions: Collection[int]) -> bool:
        return not Goal(bounds=job.bounds).broken(_sums([job.costs.get(usable[each], {}) for each in positions]))

    found = select(candidates, criterion, allowed=allowed, members=job.members)
    if found is None:
        return None
    chosen = Chosen({usable[each]: weight for each, weight in found.weights.items()}, found.score)
    kept = _earlier(job, usable, candidates, criterion)
    if kept is not None and allowed([usable.index(each) for each in kept.weights]):
        ranks = [_rank(each, usable, candidates, criterion) for each in (chosen, kept)]
        if not ranks[0].improves(ranks[1]):
            return kept
    return chosen


def _constant(outputs: Outputs) -> bool:
    """Whether the outputs of each fold are the same for all cases."""
    return all(bool((values == values[:1]).all()) for values in outputs)


def _earlier(
    job: BlendJob, usable: Sequence[Candidate], candidates: Sequence[Folds], criterion: Criterion
) -> Chosen | None:
    """The earlier blend and its score, if it could still be chosen."""
    if not job.earlier or len(job.earlier) > job.members or not set(job.earlier) <= set(usable):
        return None
    weights = {usable.index(each): weight for each, weight in job.earlier.items()}
    return Chosen(dict(job.earlier), criterion.score(blended_folds(candidates, weights)))


def _rank(chosen: Chosen, usable: Sequence[Candidate], candidates: Sequence[Folds], criterion: Criterion) -> Rank:
    weights = {usable.index(each): weight for each, weight in chosen.weights.items()}
    return criterion.rank(blended_folds(candidates, weights))


def _sums(costs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = {name for each in costs for name in each}
    return {name: sum(each.get(name, 0.0) for each in costs) for name in names}
