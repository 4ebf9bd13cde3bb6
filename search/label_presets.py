"""The search spaces of labels by name, and what of them depends on the data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lstmgru.specs import HEADS, MERGES, OPTIMIZERS, POOLINGS, SCHEDULES, TOKENS, LabelSpec
from search.errors import Problem, StudyFileError
from search.searchable import sampler_problems
from search.space import LabelSpace
from search.values import Choices, FloatRange, IntRange

if TYPE_CHECKING:
    from search.config import LabelStudyConfig

_OPEN: Choices[Any] = Choices(())
"""Values that depend on the data, see :func:`defaults`."""
LONGEST = 512
"""Steps or tokens that are read where a study leaves it open: a recurrence over more is slow and forgets."""
STEP_BY_STEP = 128
"""Steps up to which a preset reads one by one."""
_WORDY = 3
"""Words from which a text is read by words rather than by characters."""
_RARE = 2
"""How often less frequent than the mean a class must be for its weight to be searched."""
OF_TEXTS = ("tokens", "embedding_size", "min_count", "token_dropout")
_OF_CLASSES = ("label_smoothing", "class_weights")


@dataclass(frozen=True)
class LabelFacts:
    """What a space depends on, of everything but the holdout.

    Attributes:
        is_text: Whether texts are labelled.
        longest: Steps of the longest sequence; of texts, words.
        characters: Characters of the longest text; 0 for numbers.
        words: Median number of words of a text; 0 for numbers.
        rarest: Share of the rarest class, times the number of classes; 1 for numbers.
        vector_size: Features of the given word vectors; 0 without.
    """

    is_text: bool
    longest: int
    characters: int = 0
    words: float = 0.0
    rarest: float = 1.0
    vector_size: int = 0


_STANDARD = LabelSpace(
    n_branches=Choices((1, 2)),
    n_layers=IntRange(low=1, high=2),
    cell=Choices(("lstm", "gru", "fused")),
    hidden_size=IntRange(low=16, high=128, log=True),
    bidirectional=Choices((False, True)),
    merge=Choices(("concat", "gate")),
    residual=Choices((False,)),
    layer_norm=Choices((False,)),
    segment_length=_OPEN,
    pooling=Choices(("last", "mean", "max", "additive")),
    n_heads=Choices((4,)),
    dropout=FloatRange(low=0.0, high=0.6),
    recurrent_dropout=Choices((0.0,)),
    optimizer=Choices(("adamw",)),
    learning_rate=FloatRange(low=5e-4, high=1e-2, log=True),
    schedule=Choices(("constant",)),
    batch_size=Choices((16, 32, 64)),
    weight_decay=FloatRange(low=1e-6, high=1e-1, log=True),
    head=Choices(("linear",)),
    max_length=_OPEN,
    normalization=_OPEN,
    tokens=_OPEN,
    embedding_size=_OPEN,
    min_count=_OPEN,
    token_dropout=_OPEN,
    loss=_OPEN,
    label_smoothing=_OPEN,
    class_weights=_OPEN,
)

LABEL_PRESETS: dict[str, LabelSpace] = {
    "small": replace(
        _STANDARD,
        n_branches=Choices((1,)),
        n_layers=Choices((1,)),
        cell=Choices(("lstm", "gru")),
        hidden_size=IntRange(low=16, high=64, log=True),
        pooling=Choices(("last", "max")),
        dropout=FloatRange(low=0.0, high=0.5),
        learning_rate=FloatRange(low=1e-3, high=1e-2, log=True),
        batch_size=Choices((32,)),
        weight_decay=Choices((1e-4,)),
    ),
    "standard": _STANDARD,
    "full": replace(
        _STANDARD,
        n_branches=IntRange(low=1, high=3),
        n_layers=IntRange(low=1, high=4),
        hidden_size=IntRange(low=8, high=256, log=True),
        merge=Choices(MERGES),
        residual=Choices((False, True)),
        layer_norm=Choices((False, True)),
        pooling=Choices(POOLINGS),
        n_heads=Choices((2, 4, 8)),
        recurrent_dropout=FloatRange(low=0.0, high=0.5),
        optimizer=Choices(OPTIMIZERS),
        schedule=Choices(SCHEDULES),
        batch_size=Choices((8, 16, 32, 64, 128)),
        head=Choices(HEADS),
    ),
}
"""Spaces by name; what is open in them is filled in by :func:`resolve_label_space`."""


def defaults(labels: LabelSpec, data: LabelFacts, *, everything: bool) -> dict[str, Any]:
    """The values of the open keys of a preset.

    Args:
        labels: What a label is.
        data: What is labelled.
        everything: Whether the preset searches all that there is.
    """
    classes = labels.task == "classification"
    shared = {
        "segment_length": Choices(_segments(data)),
        "loss": Choices(("cross_entropy",) if classes else ("mse", "mae", "huber")),
        "label_smoothing": FloatRange(low=0.0, high=0.2) if classes else Choices((0.0,)),
        "class_weights": Choices(("none", "balanced") if classes and data.rarest < 1 / _RARE else ("none",)),
    }
    if not data.is_text:
        return shared | {
            "max_length": Choices((min(data.longest, LONGEST),)),
            "normalization": Choices(("fold", "sequence", "none") if everything else ("fold", "sequence")),
            "tokens": Choices((None,)),
            "embedding_size": Choices((0,)),
            "min_count": Choices((1,)),
            "token_dropout": Choices((0.0,)),
        }
    usual = "word" if data.words >= _WORDY or data.vector_size else "character"
    tokens = TOKENS if everything and not data.vector_size else (usual,)
    longest = data.characters if "character" in tokens else data.longest
    return shared | {
        "max_length": Choices((max(1, min(longest, LONGEST)),)),
        "normalization": Choices(("none",)),
        "tokens": Choices(tokens),
        "embedding_size": Choices((data.vector_size,) if data.vector_size else (32, 64, 128)),
        "min_count": Choices((1, 2)),
        "token_dropout": FloatRange(low=0.0, high=0.3),
    }


def _segments(data: LabelFacts) -> tuple[int, ...]:
    """One step; of long sequences of numbers, so many that about 64 or 32 segments are read."""
    longest = min(data.longest, LONGEST)
    if data.is_text or longest <= STEP_BY_STEP:
        return (1,)
    return (max(2, longest // 64), max(2, longest // 32))


def resolve_label_space(config: LabelStudyConfig, labels: LabelSpec, data: LabelFacts) -> LabelSpace:
    """The preset of a study with what the study overrides.

    Raises:
        StudyFileError: The sampler cannot search the space, or values do not fit each other or the data.
    """
    preset = LABEL_PRESETS[config.space.preset]
    known = defaults(labels, data, everything=config.space.preset == "full")
    filled = {name: values for name, values in known.items() if getattr(preset, name) is _OPEN}
    given = {name: values for name, _ in preset.items() if (values := getattr(config.space, name)) is not None}
    space = replace(preset, **{**filled, **given})
    if "segment_length" not in given:
        shortest = _low(space.max_length)
        kept = tuple(length for length in map(int, space.segment_length.values or ()) if length <= shortest)
        space = replace(space, segment_length=Choices(kept or (1,)))
    problems = {f"space.{key}": text for key, text in _problems(space, set(given), labels, data).items()}
    problems |= sampler_problems(config.search.sampler, space.as_config())
    if problems:
        raise StudyFileError(config.name or "study", [Problem(key, text) for key, text in problems.items()])
    return space


def _problems(space: LabelSpace, given: set[str], labels: LabelSpec, data: LabelFacts) -> dict[str, str]:
    """What does not fit, by key: message as the predicate of the key."""
    problems: dict[str, str] = {}
    if not data.is_text:
        problems |= dict.fromkeys(OF_TEXTS, "is for texts, but sequences of numbers are labelled; leave it out")
    elif tuple(space.normalization.values or ()) != ("none",):
        problems["normalization"] = "is for numbers, but texts are labelled; leave it out"
    elif min(space.embedding_size.values or (1,)) < 1:
        problems["embedding_size"] = "must be at least 1 for texts but got 0"
    elif data.vector_size and tuple(space.embedding_size.values or ()) != (data.vector_size,):
        problems["embedding_size"] = (
            f"must be {data.vector_size}, the size of the vectors in data.vectors; leave it or the vectors out"
        )
    elif data.vector_size and "character" in (space.tokens.values or ()):
        problems["tokens"] = "must be word, since data.vectors holds vectors of words; leave it or the vectors out"
    problems = {key: text for key, text in problems.items() if key in given}
    if labels.task == "regression":
        wrong = dict.fromkeys(_OF_CLASSES, "is for classes, but the labels are numbers; leave it out")
        problems |= {key: text for key, text in wrong.items() if key in given}
    losses = set(space.loss.values or ())
    if (labels.task == "classification") != (losses == {"cross_entropy"}):
        right = "cross_entropy" if labels.task == "classification" else "mae, mse or huber"
        problems["loss"] = f"must be {right} for task: {labels.task} but holds {', '.join(map(str, losses))}"
    longest, shortest = _high(space.segment_length), _low(space.max_length)
    if longest > shortest:
        problems["segment_length"] = (
            f"must be at most the shortest space.max_length ({shortest}) but reaches {longest}; shorten the segments "
            "or read longer sequences"
        )
    return problems


def _low(values: Any) -> int:
    return int(min(values.values) if isinstance(values, Choices) else values.low)


def _high(values: Any) -> int:
    return int(max(values.values) if isinstance(values, Choices) else values.high)
