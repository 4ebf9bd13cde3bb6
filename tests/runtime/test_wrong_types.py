"""Wrong types in the JSON files of a bundle are one clear error also where it is computed without torch."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

import pytest
from helpers.bundle_files import edit, problem_of, remove_manifest, replaced, wrong_values
from helpers.runtime_models import made, save_all

from lstmgru.runtime import load, load_model
from lstmgru.runtime.graph import OnnxGraph


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["forecasts", "baselines", "waves", "notes", "characters"])
def test_no_wrong_type_anywhere_is_more_than_one_clear_error(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a manifest, as in bundles of earlier versions, every value of every file is reached."""
    save_all(tmp_path, [kind])
    folder, (frame, _) = tmp_path / f"{kind}.bundle", made(kind)
    remove_manifest(folder)
    monkeypatch.setattr(load, "OnnxGraph", cache(OnnxGraph))  # the same file each time
    tried, wrong = 0, dict[str, str]()
    for file in sorted(folder.glob("*.json")):
        text, description = file.read_text(), (folder / "bundle.json").read_text()
        for keys, value in wrong_values(json.loads(text)):
            file.write_text(json.dumps(replaced(json.loads(text), keys, value)))
            if file.name != "bundle.json":
                edit("vocabularies", 0, "sha256", to=hashlib.sha256(file.read_bytes()).hexdigest())(folder)
            if problem := problem_of(lambda: load_model(folder, threads=1).predict(frame)):
                wrong[f"{file.name}: {keys} = {value!r}"] = problem
            tried += 1
        file.write_text(text)
        (folder / "bundle.json").write_text(description)
    assert tried > 500
    assert not wrong
