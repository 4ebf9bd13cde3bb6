"""A bundle replaces an earlier one completely or not at all."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.forecast_bundles import (
    bundle_of,
    calibration_of,
    panel_of,
    save,
    table,
)
from helpers.panels import make_panel

from lstmgru.bundle import load_bundle
from lstmgru.bundle.files import replacing
from lstmgru.errors import BundleError

FILES = ["MODEL_CARD.md", "bundle.json", "manifest.json", "weights.safetensors"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of two shops, without ONNX."""
    bundle = bundle_of(panel_of(table(shops=("a", "b"))), calibration=calibration_of())
    return save(tmp_path_factory.mktemp("models") / "shops.bundle", bundle)


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "shops.bundle"))


def test_saving_replaces_an_earlier_bundle(copy: Path) -> None:
    (copy / "model.onnx").write_bytes(b"of an earlier save")
    save(copy, bundle_of(make_panel((40,)), metrics={}))
    assert sorted(path.name for path in copy.iterdir()) == FILES
    assert os.listdir(copy.parent) == ["shops.bundle"]
    assert load_bundle(copy).metrics == {}


def test_saving_replaces_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(BundleError, match="exists but is not a bundle; remove it or choose another directory"):
        save(tmp_path, bundle_of(make_panel((40,))))
    assert os.listdir(tmp_path) == ["thesis.tex"]
    with pytest.raises(BundleError, match="exists but is not a bundle"):
        save(tmp_path / "thesis.tex", bundle_of(make_panel((40,))))


def test_a_save_that_fails_leaves_the_earlier_bundle(copy: Path) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    with pytest.raises(BundleError, match="provenance"):
        save(copy, bundle_of(make_panel((40,)), provenance={"x": object()}))
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert os.listdir(copy.parent) == ["shops.bundle"]


def in_a_child(action: Callable[[], object]) -> int:
    """Run something in a forked process and return the signal that ended it, 0 if it came to its end."""
    child = os.fork()
    if child == 0:
        try:
            action()
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("calls", range(9))
def test_a_kill_leaves_the_old_bundle_or_the_new(copy: Path, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    """The kill comes right before the nth call that changes the disk: mkdir, four files, three renames, none."""
    new = bundle_of(make_panel((40,)), metrics={"new": True})
    left = calls

    def save_until_killed() -> None:
        for owner, name in ((Path, "mkdir"), (Path, "write_bytes"), (Path, "write_text"), (Path, "rename")):
            original = getattr(owner, name)

            def counted(*arguments: Any, original: Any = original, **keywords: Any) -> Any:
                nonlocal left
                if not keywords.get("parents"):
                    left -= 1
                    if left < 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                return original(*arguments, **keywords)

            monkeypatch.setattr(owner, name, counted)
        save(copy, new)

    ended = in_a_child(save_until_killed)
    assert ended == (signal.SIGKILL if calls < 8 else 0)
    found = load_bundle(copy)
    assert ("new" in found.metrics) == (calls >= 7)
    with pytest.raises(BundleError, match="provenance"):
        save(copy, replace(new, provenance={"x": object()}))
    assert ("new" in load_bundle(copy).metrics) == (calls >= 7), "a save that fails next loses nothing either"
    save(copy, replace(new, metrics={"newer": True}))
    assert os.listdir(copy.parent) == ["shops.bundle"]
    assert load_bundle(copy).metrics == {"newer": True}


def test_only_what_dead_writers_left_is_removed(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = {
        f".model.partial-{dead.pid}": False,
        f".model.partial-{os.getppid()}": True,
        f".model.partial-{os.getpid()}": False,
        f".mod.partial-{dead.pid}": True,
        ".model.partial-notes": True,
        ".model.previous": False,
    }
    for name in names:
        (tmp_path / name).mkdir()
    save(tmp_path / "model", bundle_of(make_panel((40,))))
    assert {name: (tmp_path / name).exists() for name in names} == names


def test_a_bundle_directory_is_as_readable_as_any(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with replacing(tmp_path / "model") as partial:
        (partial / "bundle.json").touch()
    assert (tmp_path / "model").stat().st_mode == (tmp_path / "other").stat().st_mode
