"""A bundle that was changed after it was saved is refused, with or without a manifest, in one line."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from helpers import forecast_bundles, sequence_bundles
from helpers.blends import blend_of
from helpers.bundle_files import edit, problem_of, remove_manifest, replace_weights, replaced, wrong_values
from helpers.combinations import each_row
from helpers.forecast_bundles import bundle_of, calibration_of, model_of, panel_of, rich_panel, rich_table, table
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from lstmgru.bundle import load_bundle
from lstmgru.errors import BundleError


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frame = rich_table(shops=("a", "b"))
    bundle = bundle_of(rich_panel(frame), model_of(), calibration=calibration_of(2), example=frame.head(2).astype(str))
    return forecast_bundles.save(tmp_path_factory.mktemp("models") / "shops.bundle", bundle)


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "shops.bundle"))


def test_the_manifest_has_the_digest_of_every_other_file(saved: Path) -> None:
    digests = json.loads((saved / "manifest.json").read_text())["sha256"]
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in saved.iterdir()}
    del files["manifest.json"]
    assert digests == files
    assert len(digests) == 4


def by_hand(*keys: str | int, to: Any) -> Callable[[Path], None]:
    """A change of ``bundle.json`` that leaves the manifest as it is."""

    def change(folder: Path) -> None:
        document = json.loads((folder / "bundle.json").read_text())
        (folder / "bundle.json").write_text(json.dumps(replaced(document, keys, to)))

    return change


CHANGES = {
    "a scaler": (by_hand("members", 0, "scaler", "mean", 0, 0, to=1e6), "bundle.json"),
    "a calibration": (by_hand("calibration", "offsets", 0, to=0.0), "bundle.json"),
    "an example": (lambda folder: (folder / "example.json").write_text("{}"), "example.json"),
    "a file that is not listed": (
        lambda folder: (folder / "manifest.json").write_text('{"sha256": {"a": "b"}}'),
        "bundle.json",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_file_that_was_changed_is_refused(copy: Path, name: str) -> None:
    change, file = CHANGES[name]
    change(copy)
    with pytest.raises(BundleError, match=rf"{file} is not the file that manifest\.json describes .*: it was changed"):
        load_bundle(copy)


@pytest.mark.parametrize("text", ["[]", "{", "{}", '{"sha256": 1}', '{"sha256": {}}'])
def test_a_damaged_manifest_is_refused(copy: Path, text: str) -> None:
    (copy / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match=r"manifest\.json (is damaged|must hold a JSON object)"):
        load_bundle(copy)


def test_a_manifest_that_was_removed_is_missed(copy: Path) -> None:
    (copy / "manifest.json").unlink()
    with pytest.raises(BundleError, match=r"is not a complete bundle: manifest\.json is missing"):
        load_bundle(copy)


def test_a_bundle_from_before_there_were_manifests_loads(copy: Path, saved: Path) -> None:
    remove_manifest(copy)
    frame = rich_table(shops=("a", "b"))
    pd.testing.assert_frame_equal(load_bundle(copy).predict(frame), load_bundle(saved).predict(frame))


def test_any_seed_of_32_bits_is_read(copy: Path) -> None:
    edit("members", 0, "training", "seed", to=2**32 - 1)(copy)
    assert load_bundle(copy).networks[0].train_spec.seed == 2**32 - 1


def test_infinite_weights_are_refused(copy: Path) -> None:
    weights = load_tensors((copy / "weights.safetensors").read_bytes())
    name = next(name for name in weights if name.endswith("bias"))
    replace_weights(save_tensors(weights | {name: torch.full_like(weights[name], torch.inf)}))(copy)
    with pytest.raises(BundleError, match=f"holds numbers that are NaN or infinite, in {name}"):
        load_bundle(copy)


SCHEMA = ("data", "schema")
WRONG = [
    (edit(*SCHEMA, "time", to=3), "time must be text but is 3"),
    (edit(*SCHEMA, "id", to=10**40), "id must be text or null but is 1000"),
    (edit(*SCHEMA, "targets", to=["sales 0", {}]), "targets must be a list, with each item text but is"),
    (edit(*SCHEMA, "categories", to={"kind": [[]]}), "categories must be an object, with each value a list, with each"),
    (edit("members", 0, "model", "context_length", to=10**40), "context_length must be an integer but is 1000"),
    (edit("members", 0, "model", "context_length", to=True), "context_length must be an integer but is True"),
    (edit("members", 0, "model", "dropout", to=float("nan")), "dropout must be a finite number but is nan"),
    (edit("members", 0, "training", "seed", to="3"), "seed must be an integer but is '3'"),
    (edit("forecast", "levels", to=["0.8"]), "levels must be a list, with each item a finite number"),
    (edit("calibration", "scaled", to="yes"), "scaled must be true or false but is 'yes'"),
    (edit("members", 0, "scaler", "static_mean", to=[0.5, 1.0]), "the scaler must not change categories"),
    (edit("members", 0, "scaler", "mean", 0, 0, to=-1e39), "mean must be numbers of single precision, .* but is -1e"),
    (edit("members", 0, "scaler", "scale", 0, 0, to=10**400), "too large"),
    (edit("calibration", "offsets", 0, to=float("inf")), "offsets must be numbers of single precision, .* but is inf"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "match"), WRONG)
def test_a_value_of_the_wrong_type_is_refused_with_its_name(
    copy: Path, change: Callable[[Path], None], match: str
) -> None:
    change(copy)
    with pytest.raises(BundleError, match=match) as caught:
        load_bundle(copy)
    assert "\n" not in str(caught.value)


def bundles() -> Iterator[tuple[str, pd.DataFrame, Any]]:
    """A table and a model for it, of every kind."""
    frame = rich_table(shops=("a", "b"))
    spec = model_of(pooling="multihead", decoder="mlp", series_embedding=2)
    yield "forecasts", frame, bundle_of(rich_panel(frame), spec, calibration=calibration_of(2), short_series="pad")
    frame = table(40)
    yield "blend", frame, blend_of(panel_of(frame), baselines={"linear": 0.2, "theta": 0.1, "ets": 0.1, "trees": 0.1})
    for kind in sequence_bundles.KINDS:
        yield kind, *sequence_bundles.made(kind)


@pytest.mark.slow
@each_row("number", range(2 + len(sequence_bundles.KINDS)))
def test_no_wrong_type_anywhere_is_more_than_one_clear_error(tmp_path: Path, number: int) -> None:
    """Without a manifest, as in bundles of earlier versions, every value of every file is reached."""
    kind, frame, bundle = list(bundles())[number]
    save = forecast_bundles.save if number < 2 else sequence_bundles.save
    folder = save(tmp_path / kind, bundle)
    remove_manifest(folder)
    tried, wrong = 0, dict[str, str]()
    for file in sorted(folder.glob("*.json")):
        text, description = file.read_text(), (folder / "bundle.json").read_text()
        for keys, value in wrong_values(json.loads(text)):
            file.write_text(json.dumps(replaced(json.loads(text), keys, value)))
            if file.name != "bundle.json":
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                edit("vocabularies", 0, "sha256", to=digest)(folder)
            if problem := problem_of(lambda: load_bundle(folder).predict(frame)):
                wrong[f"{file.name}: {keys} = {value!r}"] = problem
            tried += 1
        file.write_text(text)
        (folder / "bundle.json").write_text(description)
    assert tried > 500
    assert not wrong
