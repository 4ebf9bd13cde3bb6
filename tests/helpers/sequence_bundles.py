"""Small models that were never trained, with all that it takes to label sequences or texts of a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from lstmgru.bundle import SequenceBundle, SequenceNetworkMember, save_bundle
from lstmgru.data.sequences.encoding import Encoding
from lstmgru.data.sequences.sequences import LabeledSequences
from lstmgru.data.sequences.table import build_sequences
from lstmgru.nn.sequence_network import SequenceNetwork
from lstmgru.specs import LabelSpec, SequenceModelSpec, TrainSpec, parse_branches

LENGTH = 7
TEXTS = ("Trains run late, again!", "all is fine", "late late trains", "", "Zug um Zug: 1,000 Züge", "fine", "is it?")


def model_of(branches: str = "gru(5) > lstm(4)", **spec: Any) -> SequenceModelSpec:
    """An architecture; with ``tokens``, one that reads texts."""
    usual = {"embedding_size": 3, "normalization": "none"} if spec.get("tokens") else {}
    return SequenceModelSpec(parse_branches(branches), **({"max_length": LENGTH, "dropout": 0.2} | usual | spec))


def long_table(count: int = 8, *, classes: tuple[Any, ...] = ("a", "b", "c"), longest: int = 10) -> pd.DataFrame:
    """Two channels of engines, some of more steps than a model reads; ``wear`` is a number, ``state`` a class."""
    generator = np.random.default_rng(0)
    lengths = [1, longest, *generator.integers(1, longest + 1, count - 2)]
    frames = [
        pd.DataFrame({
            "engine": f"e{number}",
            "minute": np.arange(length),
            "heat": generator.normal(300, 20, length),
            "load": generator.normal(0, 1, length),
            "state": classes[number % len(classes)],
            "wear": 1000.0 + 3 * number,
        })
        for number, length in enumerate(lengths)
    ]  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def wide_table(count: int = 6) -> pd.DataFrame:
    """A row for each sequence, of 1 to 6 steps, with a number for a name."""
    values = np.random.default_rng(1).normal(5, 2, (count, 6))
    values[np.arange(6) > np.arange(count)[:, None] % 6] = np.nan
    steps = {f"step_{step + 1}": column for step, column in enumerate(values.T)}
    return pd.DataFrame({"sample": np.arange(count) * 7, "grade": np.arange(count) % 2, **steps})


def text_table() -> pd.DataFrame:
    return pd.DataFrame({"text": TEXTS, "mood": ["bad", "good", "bad", "good", "bad", "good", "good"]})


def sequences_of(frame: pd.DataFrame, task: str = "classification", **roles: Any) -> LabeledSequences:
    """The sequences of one of the tables above, with the roles that its columns play."""
    if "text" in frame:
        usual: dict[str, Any] = {"layout": "text", "text": "text", "target": "mood"}
    elif "engine" in frame:
        target = "wear" if task == "regression" else "state"
        usual = {
            "layout": "long", "id": "engine", "time": "minute", "channels": ["heat", "load"], "target": target,
        }  # fmt: skip
    else:
        channels = [f"step_{step}" for step in range(1, 7)]
        usual = {"layout": "wide", "id": "sample", "target": "grade", "channels": channels}
    return build_sequences(frame, task=task, source="table", **(usual | roles))


def task_of(sequences: LabeledSequences) -> LabelSpec:
    if not sequences.classes:
        return LabelSpec("regression", "mae")
    return LabelSpec("classification", "accuracy", sequences.classes)


def member_of(
    sequences: LabeledSequences,
    model: SequenceModelSpec | None = None,
    *,
    seed: int = 0,
    train_spec: TrainSpec | None = None,
    **common: Any,
) -> SequenceNetworkMember:
    """A network for sequences, with weights as large as training makes them; ``common``: weight, trial, score."""
    model = model or model_of(**({"tokens": "word"} if sequences.is_text else {}))
    task = task_of(sequences)
    encoding = Encoding.fit(sequences, np.arange(len(sequences)), model, task)
    torch.manual_seed(seed)
    network = SequenceNetwork(
        model,
        n_channels=sequences.schema.n_channels,
        n_outputs=task.n_outputs,
        vocabulary_size=encoding.vocabulary_size,
        subwords=encoding.subwords(model),
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
    train = train_spec or TrainSpec(batch_size=8, loss="cross_entropy" if task.classes else "mae", seed=3)
    return SequenceNetworkMember(network=network, encoding=encoding, model_spec=model, train_spec=train, **common)


def label_bundle_of(
    sequences: LabeledSequences, model: SequenceModelSpec | None = None, *, seed: int = 0, **settings: Any
) -> SequenceBundle:
    """A model for sequences, with one network; settings are those of the bundle and of :func:`member_of`."""
    task, train = task_of(sequences), settings.pop("train_spec", None)
    values = {
        "task": task,
        "schema": sequences.schema,
        "metrics": {"holdout": {task.metric: 0.875}, "baselines": {"majority": 0.5}, "verdict": "It is better."},
        "provenance": {"study": "engines", "seed": 3, "data": {"rows": 50}},
    }
    if "members" not in settings:
        values["members"] = (member_of(sequences, model, seed=seed, train_spec=train),)
    return SequenceBundle(**(values | settings))


KINDS: dict[str, tuple[Callable[[], pd.DataFrame], str, dict[str, Any]]] = {
    "sequences": (long_table, "classification", {"pooling": "additive", "segment_length": 2}),
    "numbers": (long_table, "regression", {"normalization": "sequence"}),
    "wide": (wide_table, "classification", {"branches": "bi-gru(3) | fused(2)", "fcn_filters": 3}),
    "words": (text_table, "classification", {"tokens": "word"}),
    "characters": (text_table, "classification", {"tokens": "character", "pooling": "max"}),
}


def made(kind: str, **settings: Any) -> tuple[pd.DataFrame, SequenceBundle]:
    """A table, and a model for it."""
    table, task, spec = KINDS[kind]
    frame = table()
    return frame, label_bundle_of(sequences_of(frame, task), model_of(**spec), **settings)


def save(folder: Path, bundle: SequenceBundle) -> Path:
    """The directory of the bundle, saved without ONNX, which takes seconds."""
    return save_bundle(folder, bundle, onnx=False).directory
