"""The search spaces of labels by name, and what of them depends on the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgru.evaluation.metrics import find_metric
from lstmgru.specs import HEADS, SEQUENCE_NORMALIZATIONS, TOKENS, LabelSpec
from search.config.space_config import sampler_problems
from search.config.space_values import Choices, FloatRange, IntRange
from search.errors import Problem, StudyFileError
from search.space.space import SearchSpace
from search.tasks.sequences.config import SequenceSpaceConfig

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from search.tasks.sequences.config import SequenceStudyConfig

_OPEN: Choices[Any] = Choices(())
"""Values that depend on the data, see :func:`defaults`."""
LONGEST = 512
"""Steps or tokens that are read where a study leaves it open: a recurrence over more is slow and forgets."""
STEP_BY_STEP = 128
"""Steps up to which a preset reads one by one."""
_WORDY = 3
"""Words from which a text is read by words rather than by characters."""
_FEW = 1000
"""Sequences below which small batches are worth their time."""
_RARE = 2
"""How often less frequent than the mean a class must be for its weight to be searched."""
_NO_NOISE = Choices((0.0,))
OF_NUMBERS = ("normalization", "input_noise")
OF_TEXTS = ("tokens", "embedding_size", "min_count", "token_dropout", "subwords")
OF_CLASSES = ("label_smoothing", "class_weights")
_OF_NO_CLASSES: dict[str, Choices[Any]] = {"label_smoothing": Choices((0.0,)), "class_weights": Choices(("none",))}


@dataclass(frozen=True)
class SequenceFacts:
    """What a space depends on, of everything but the holdout.

    Attributes:
        is_text: Whether texts are labeled.
        longest: Steps of the longest sequence; of texts, words.
        n_train: Sequences.
        characters: Characters of the longest text; 0 for numbers.
        words: Median number of words of a text; 0 for numbers.
        rarest: Share of the rarest class, times the number of classes; 1 for numbers.
        vector_size: Features of the given word vectors; 0 without.
        lacks_blanks: Whether the script of the texts has no blanks between words.
    """

    is_text: bool
    longest: int
    n_train: int
    characters: int = 0
    words: float = 0.0
    rarest: float = 1.0
    vector_size: int = 0
    lacks_blanks: bool = False

    def longest_in(self, tokens: Collection[Any]) -> int:
        """Steps of the longest sequence; tokens of the longest text, whichever of some kinds of tokens are read."""
        return self.characters if self.is_text and "character" in tokens else self.longest


_NUMBERS = SearchSpace(
    SequenceSpaceConfig,
    n_branches=Choices((1, 2)),
    n_layers=IntRange(low=1, high=2),
    cell=Choices(("lstm", "gru", "fused")),
    hidden_size=IntRange(low=16, high=128, log=True),
    bidirectional=Choices((False, True)),
    merge=Choices(("concat", "gate")),
    residual=Choices((False,)),
    layer_norm=Choices((False,)),
    convolution=Choices((0,)),
    fcn_filters=Choices((0, 32, 64)),
    segment_length=_OPEN,
    pooling=Choices(("last", "mean", "max", "additive")),
    n_heads=Choices((4,)),
    dropout=FloatRange(low=0.0, high=0.5),
    recurrent_dropout=FloatRange(low=0.0, high=0.4),
    input_noise=_NO_NOISE,
    optimizer=Choices(("adamw",)),
    learning_rate=FloatRange(low=2e-3, high=1e-2, log=True),
    schedule=Choices(("constant", "one_cycle")),
    batch_size=_OPEN,
    weight_decay=FloatRange(low=1e-4, high=1e-1, log=True),
    head=Choices(("linear", "mlp")),
    max_length=_OPEN,
    normalization=Choices(("fold", "sequence")),
    tokens=Choices((None,)),
    embedding_size=Choices((0,)),
    min_count=Choices((1,)),
    token_dropout=Choices((0.0,)),
    subwords=Choices((False,)),
    loss=_OPEN,
    label_smoothing=_OPEN,
    class_weights=_OPEN,
)
_TEXTS = _NUMBERS.replacing(
    n_layers=Choices((1,)),
    hidden_size=IntRange(low=32, high=128, log=True),
    bidirectional=Choices((True,)),
    fcn_filters=Choices((0,)),
    segment_length=Choices((1,)),
    dropout=FloatRange(low=0.3, high=0.6),
    recurrent_dropout=Choices((0.0,)),
    head=Choices(("linear",)),
    normalization=Choices(("none",)),
    tokens=_OPEN,
    embedding_size=_OPEN,
    min_count=Choices((1, 2)),
    token_dropout=FloatRange(low=0.0, high=0.2),
    subwords=_OPEN,
)


def _small(space: SearchSpace) -> SearchSpace:
    """A small space for a first try."""
    return space.replacing(
        n_branches=Choices((1,)),
        n_layers=Choices((1,)),
        cell=Choices(("lstm", "gru")),
        hidden_size=IntRange(low=16, high=64, log=True),
        fcn_filters=Choices((0,)),
        pooling=Choices(("last", "max")),
        recurrent_dropout=Choices((0.0,)),
        schedule=Choices(("constant",)),
        weight_decay=Choices((1e-4,)),
        head=Choices(("linear",)),
    )


def _full(space: SearchSpace) -> SearchSpace:
    """Everything that there is."""
    return space.with_every_architecture().replacing(
        fcn_filters=Choices((0, 32, 64, 128)),
        dropout=FloatRange(low=0.0, high=0.6),
        learning_rate=FloatRange(low=5e-4, high=2e-2, log=True),
        weight_decay=FloatRange(low=1e-6, high=1e-1, log=True),
        head=Choices(HEADS),
    )


LABEL_PRESETS: dict[str, dict[str, SearchSpace]] = {
    "numbers": {
        "small": _small(_NUMBERS),
        "standard": _NUMBERS,
        "full": _full(_NUMBERS).replacing(
            normalization=Choices(SEQUENCE_NORMALIZATIONS), input_noise=FloatRange(low=0.0, high=0.3)
        ),
    },
    "texts": {"small": _small(_TEXTS), "standard": _TEXTS, "full": _full(_TEXTS)},
}
"""Spaces by what is labeled and by name; what is open in them is filled in by :func:`resolve_sequence_space`."""


def defaults(
    labels: LabelSpec, data: SequenceFacts, *, everything: bool, given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The values of the open keys of a preset.

    Args:
        labels: What a label is.
        data: What is labeled.
        everything: Whether the preset searches all that there is.
        given: The values of the study's own; those that depend on them follow.
    """
    given = given or {}
    classes = labels.task == "classification"
    tokens = given["tokens"].values if "tokens" in given else _tokens(data, everything=everything)
    longest = max(1, min(data.longest_in(tokens or ()), LONGEST))
    read = min(data.longest_in(tokens or ()), int(given["max_length"].high)) if "max_length" in given else longest
    return {
        "segment_length": Choices(_segments(read)),
        "batch_size": Choices((8, 16, 32) if data.n_train < _FEW else (32, 64)),
        "max_length": Choices((longest,)),
        "tokens": Choices(tokens),
        "embedding_size": Choices((data.vector_size,) if data.vector_size else (64, 128, 256)),
        "subwords": Choices((True, False) if set(tokens or ()) == {"word"} else (False,)),
        "loss": Choices(find_metric(labels.metric).losses[labels.task]),
        "label_smoothing": FloatRange(low=0.0, high=0.1) if classes else _OF_NO_CLASSES["label_smoothing"],
        "class_weights": Choices(("none", "balanced") if classes and data.rarest < 1 / _RARE else ("none",)),
    }


def _tokens(data: SequenceFacts, *, everything: bool) -> tuple[str, ...]:
    """The kinds of tokens: words where blanks separate them and most texts have some, else characters."""
    if data.vector_size:
        return ("word",)
    if data.lacks_blanks:
        return ("character",)
    if everything:
        return TOKENS
    return ("word",) if data.words >= _WORDY else ("character",)


def _segments(steps: int) -> tuple[int, ...]:
    """Lengths of segments: one step, some, or all at once; of long sequences so many that 64 or 32 are read."""
    if steps > STEP_BY_STEP:
        return (steps // 64, steps // 32)
    return tuple(sorted({length for length in (1, 2, 4, 8, steps) if length <= steps}))


def resolve_sequence_space(config: SequenceStudyConfig, labels: LabelSpec, data: SequenceFacts) -> SearchSpace:
    """The preset of a study with what the study overrides.

    Raises:
        StudyFileError: The sampler cannot search the space, or values do not fit each other or the data.
    """
    preset = LABEL_PRESETS["texts" if data.is_text else "numbers"][config.space.preset]
    given = {name: values for name, _ in preset.items() if (values := getattr(config.space, name)) is not None}
    known = defaults(labels, data, everything=config.space.preset == "full", given=given)
    filled = {name: values for name, values in known.items() if preset[name] is _OPEN}
    space = preset.replacing(**{**filled, **given})
    if "segment_length" not in given:
        shortest = space["max_length"].low
        kept = tuple(length for length in map(int, space["segment_length"].values or ()) if length <= shortest)
        space = space.replacing(segment_length=Choices(kept or (1,)))
    problems = {f"space.{key}": text for key, text in _problems(space, set(given), labels, data).items()}
    problems |= sampler_problems(config.search.sampler, space.as_config())
    if problems:
        raise StudyFileError(config.name or "study", [Problem(key, text) for key, text in problems.items()])
    return space


def _problems(space: SearchSpace, given: set[str], labels: LabelSpec, data: SequenceFacts) -> dict[str, str]:
    """What does not fit, by key: message as the predicate of the key."""
    problems: dict[str, str] = {}
    wrong: list[str]
    if not data.is_text:
        wrong = [key for key in OF_TEXTS if space[key] != _NUMBERS[key]]  # a study that is resumed gives all values
        problems |= dict.fromkeys(wrong, "is for texts, but sequences of numbers are labeled; leave it out")
    elif tuple(space["normalization"].values or ()) != ("none",):
        problems["normalization"] = "is for numbers, but texts are labeled; leave it out"
    elif space["input_noise"] != _NO_NOISE:
        problems["input_noise"] = "is for numbers, but texts are labeled; leave it out"
    elif min(space["embedding_size"].values or (1,)) < 1:
        problems["embedding_size"] = "must be at least 1 for texts but got 0"
    elif data.vector_size and tuple(space["embedding_size"].values or ()) != (data.vector_size,):
        problems["embedding_size"] = (
            f"must be {data.vector_size}, the size of the vectors in data.vectors; leave it or the vectors out"
        )
    elif True in (space["subwords"].values or ()) and tuple(space["tokens"].values or ()) != ("word",):
        problems["subwords"] = "must be false unless space.tokens is word; leave it out or set space.tokens=word"
    elif data.vector_size and "character" in (space["tokens"].values or ()):
        problems["tokens"] = "must be word, since data.vectors holds vectors of words; leave it or the vectors out"
    problems = {key: text for key, text in problems.items() if key in given}
    if labels.task == "regression":
        wrong = [key for key in OF_CLASSES if key in given and space[key] != _OF_NO_CLASSES[key]]
        problems |= dict.fromkeys(wrong, "is for classes, but the labels are numbers; leave it out")
    losses = set(space["loss"].values or ())
    if (labels.task == "classification") != (losses == {"cross_entropy"}):
        right = "cross_entropy" if labels.task == "classification" else "mae, mse or huber"
        problems["loss"] = f"must be {right} for task: {labels.task} but holds {', '.join(map(str, losses))}"
    longest, shortest = space["segment_length"].high, space["max_length"].low
    if longest > shortest:
        problems["segment_length"] = (
            f"must be at most the shortest space.max_length ({shortest}) but reaches {longest}; shorten the segments "
            "or read longer sequences"
        )
    return problems
