"""A loaded sequence model is what was saved; damaged bundles are refused."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import forecast_bundles
from helpers.bundle_files import check_that_it_is_refused, edit, flip_a_bit, write
from helpers.combinations import each_row
from helpers.sequence_bundles import (
    KINDS,
    made,
    model_of,
    save,
)

from lstmgru.bundle import SequenceBundle, load_bundle
from lstmgru.data.sequences.encoding import ChannelScaler, Encoding
from lstmgru.data.sequences.vocabulary import Vocabulary
from lstmgru.errors import SpecError
from lstmgru.specs import LabelSpec, TrainSpec


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_bundle_is_the_saved_one(kind: str, tmp_path: Path) -> None:
    train = TrainSpec(
        loss="mae" if kind == "numbers" else "cross_entropy", label_smoothing=0.1, class_weights="balanced"
    )
    frame, saved = made(kind, gaps="fill", train_spec=train)
    loaded = load_bundle(save(tmp_path / "deep" / "model.bundle", saved))
    assert isinstance(loaded, SequenceBundle)
    for name in ("task", "schema", "gaps", "metrics"):
        assert getattr(loaded, name) == getattr(saved, name), name
    assert loaded.provenance.items() >= saved.provenance.items()
    (found,), (member,) = loaded.networks, saved.networks
    assert (found.model_spec, found.train_spec) == (member.model_spec, member.train_spec)
    assert found.encoding.to_dict() == member.encoding.to_dict()
    pd.testing.assert_frame_equal(loaded.predict(frame), saved.predict(frame), check_exact=True)


def changed(bundle: SequenceBundle, **parts: Any) -> Callable[[], SequenceBundle]:
    return lambda: replace(bundle, **parts)


def changed_member(bundle: SequenceBundle, **parts: Any) -> Callable[[], SequenceBundle]:
    return lambda: replace(bundle, members=(replace(bundle.networks[0], **parts),))


SEQUENCES, NUMBERS, WORDS = (made(kind)[1] for kind in ("sequences", "numbers", "words"))


TWO = LabelSpec("classification", "accuracy", ("a", "b"))


def scaled(mean: int, scale: int, channels: int) -> Encoding:
    return Encoding(ChannelScaler(np.full(channels, mean, np.float32), np.full(channels, scale, np.float32)), None)


SCALER = SEQUENCES.networks[0].encoding.scaler


@each_row(
    ("make", "match"),
    [
        (changed(SEQUENCES, task=TWO), "the network has 3 outputs, but labels are 2 classes"),
        (
            changed(SEQUENCES, task=LabelSpec("regression", "mae")),
            "the network has 3 outputs, but labels are one number",
        ),
        (changed_member(SEQUENCES, model_spec=model_of("gru(3)")), r"the network must be gru\(3\) but is .*lstm\(4\)"),
        (
            changed(SEQUENCES, schema=replace(SEQUENCES.schema, channels=("heat",))),
            "the network has 2 channels, but the table has 1",
        ),
        (changed(WORDS, schema=SEQUENCES.schema), "the model reads tokens word, but the table has the layout long"),
        (changed(SEQUENCES, schema=WORDS.schema), "the model reads tokens None, but the table has the layout text"),
        (changed_member(SEQUENCES, encoding=WORDS.networks[0].encoding), "must have a scaler but has none"),
        (changed_member(WORDS, encoding=SEQUENCES.networks[0].encoding), "must have a vocabulary but has none"),
        (
            changed_member(WORDS, encoding=Encoding(None, Vocabulary("word", ("a", "b")))),
            "the vocabulary has 4 codes, but the embedding has 18",
        ),
        (
            changed_member(WORDS, encoding=Encoding(None, Vocabulary("character", ("a",)))),
            "the vocabulary is of characters, but the network reads words",
        ),
        (
            changed_member(SEQUENCES, encoding=scaled(0, 1, 3)),
            r"mean of the scaler must have the shape \(2,\) but has \(3,\)",
        ),
        (
            changed_member(SEQUENCES, encoding=scaled(0, 0, 2)),
            "the scales of the scaler must be positive",
        ),
        (
            changed_member(NUMBERS, encoding=Encoding(SCALER, None, 1.0, 0.0)),
            "label_scale positive but are 1.0 and 0.0",
        ),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(make: Callable[[], SequenceBundle], match: str) -> None:
    with pytest.raises(SpecError, match=match):
        make()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of texts, without ONNX."""
    return save(tmp_path_factory.mktemp("models") / "texts.bundle", made("words")[1])


def rewrite_vocabulary(content: bytes) -> Callable[[Path], None]:
    """Another vocabulary, with its true digest."""

    def change(folder: Path) -> None:
        write("vocabulary.json", content)(folder)
        edit("vocabularies", 0, "sha256", to=hashlib.sha256(content).hexdigest())(folder)

    return change


@each_row(
    ("damage", "match"),
    [
        (lambda folder: (folder / "vocabulary.json").unlink(), "not a complete bundle: vocabulary.json is missing"),
        (write("vocabulary.json", b"{}"), "vocabulary.json is not the file that bundle.json describes"),
        (rewrite_vocabulary(b"{"), "vocabulary.json is damaged: .*; export the model again"),
        (rewrite_vocabulary(b"[]"), "vocabulary.json must hold a JSON object but holds a list"),
        (rewrite_vocabulary(b"{}"), "holds an invalid value|lacks 'kind'"),
        (rewrite_vocabulary(b'{"kind": "word", "tokens": ["a"]}'), "does not fit the architecture: .*embedding"),
        (
            rewrite_vocabulary(b'{"kind": "character", "tokens": ["a"]}'),
            "the vocabulary is of characters, but the network",
        ),
        (edit("vocabularies", to=None), "lacks 'vocabularies'"),
        (edit("vocabularies", to=[]), "a vocabulary_size of at least 2 but got 0 and 0"),
        (edit("task", to=None), "lacks 'task'"),
        (edit("task", to="regression"), "classes must be empty for regression"),
        (edit("task", to="forecast"), "holds an invalid value|lacks '"),
        (edit("labels", "classes", to=["bad"]), "classes must be at least 2"),
        (edit("labels", "classes", to=["a", "b", "c"]), r"does not fit the architecture: members.0.head.*\[2\b.*\[3\b"),
        (edit("labels", to=None), "lacks 'labels'"),
        (edit("members", 0, "encoding", to=[]), "holds an invalid value"),
        (edit("members", 0, "encoding", "label_scale", to=None), "lacks 'label_scale'"),
        (edit("data", "schema", "layout", to="long"), "id must be set for tables of the layout long but is empty"),
        (edit("data", "gaps", to="ignore"), "holds an invalid value"),
        (edit("members", 0, "model", "max_length", to=0), "max_length must be at least 1 but got 0"),
        (flip_a_bit, "weights.safetensors is not the file that manifest.json describes"),
    ],
)
def test_a_damaged_bundle_is_refused_in_one_line(
    saved: Path, tmp_path: Path, damage: Callable[[Path], None], match: str
) -> None:
    check_that_it_is_refused(saved, tmp_path, damage, match)


def test_the_description_names_files_columns_and_classes(saved: Path) -> None:
    described = json.loads((saved / "bundle.json").read_text())
    assert (described["format_version"], described["task"]) == (4, "classification")
    assert described["labels"] == {"metric": "accuracy", "classes": ["bad", "good"]}
    assert described["label_columns"] == ["row", "label", "p_bad", "p_good"]
    content = (saved / "vocabulary.json").read_bytes()
    assert described["vocabularies"] == [{"file": "vocabulary.json", "sha256": hashlib.sha256(content).hexdigest()}]
    assert json.loads(content)["tokens"][:2] == ["late", "fine"]
    assert "fine" not in (saved / "bundle.json").read_text()


def test_loading_leaves_the_random_state_alone(saved: Path) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    load_bundle(saved)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_loading_and_predicting_unpickle_nothing_and_need_torch_alone(saved: Path, tmp_path: Path) -> None:
    frame = forecast_bundles.table(shops=("a", "b"))
    frame.to_csv(tmp_path / "new.csv", index=False)
    shops = forecast_bundles.save(tmp_path / "shops", forecast_bundles.bundle_of(forecast_bundles.panel_of(frame)))
    script = f"""
import sys
def watch(event, arguments):
    if event == "pickle.find_class":
        raise SystemExit(f"unpickled {{arguments}}")
from lstmgru.bundle import load_bundle
import pandas
sys.addaudithook(watch)
assert len(load_bundle({str(saved)!r}).predict(["late trains", "fine"])) == 2
rows = pandas.read_csv({str(tmp_path / "new.csv")!r})
assert len(load_bundle({str(shops)!r}).predict(rows)) == {2 * forecast_bundles.HORIZON}
heavy = {{"lightning", "sklearn", "onnx", "onnxruntime", "onnxscript", "mlflow", "optuna", "search"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
