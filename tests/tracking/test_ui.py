"""The MLflow UI shows a study: looked at with a real browser."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.mlflow_server import free_port
from helpers.mlflow_ui import CHROMIUM, browser_page, check_trial, check_ui, foreign_requests
from helpers.studies import search, write_study

from search.api import load_record
from search.study.records import StudyRecord, TrackingLinks
from search.tracking.entries import baseline_name, trial_name
from search.tracking.runs import leaderboard_page
from search.tracking.store import server_command, server_environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("REQUIRE_BROWSER"), reason="there is no chromium on this machine"
    ),
]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudyRecord, TrackingLinks]:
    """A working folder in which a small study has been run, the study, and where MLflow shows it."""
    folder = tmp_path_factory.mktemp("ui")
    write_study(folder)
    result = search(folder, "run", "tiny.yaml")
    assert result.returncode == 0, result.stderr
    study = load_record("tiny", folder)
    assert study.mlflow is not None
    return folder, study, study.mlflow


@pytest.fixture(scope="module")
def ui(shown: tuple[Path, StudyRecord, TrackingLinks]) -> Iterator[str]:
    """The UI of that store, as the command line starts it."""
    folder, _, links = shown
    port = free_port()
    command = server_command(links.tracking_uri, folder, port)
    environment = server_environment() | dict(os.environ)
    with (folder / "ui.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def wait_until_it_answers(server: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"{server}/health", timeout=5):
                return
        except OSError:
            assert process.poll() is None, "the UI ended"
            assert time.monotonic() < end, "the UI did not start in time"
            time.sleep(0.1)


def test_the_ui_shows_the_study_its_trials_and_its_model(
    shown: tuple[Path, StudyRecord, TrackingLinks], ui: str
) -> None:
    folder, study, links = shown
    assert links.model_uri == "models:/tiny@champion"
    with browser_page() as page:
        asked = foreign_requests(page, ui)
        check_ui(page, ui, study, links)
        check_trial(page, ui, links, 0, ["score", "fold_1/val_mae", "fold_2/train_loss"])
    assert asked == []
    assert {path.name for path in folder.iterdir()} == {"shop.csv", "tiny.yaml", "studies", "mlruns", "ui.log"}


def test_the_printed_address_shows_the_leaderboard(shown: tuple[Path, StudyRecord, TrackingLinks], ui: str) -> None:
    _, study, _ = shown
    address = leaderboard_page(study, ui)
    assert address is not None
    with browser_page() as page:
        page.goto(address)
        page.get_by_text("You're viewing a shared view").wait_for()
        page.get_by_role("columnheader", name="score", exact=True).first.wait_for()
        names = page.locator("[col-id='runName'] a, [role='row'] a[href*='/runs/']").all_inner_texts()
    scores = {study.study: study.blend.folds if study.blend else None}
    scores |= {baseline_name(name): each.folds for name, each in study.baselines.items()}
    scores |= {trial_name(trial): trial.value for trial in study.complete}
    ranked = sorted((score, name) for name, score in scores.items() if score is not None)
    assert names[: len(ranked)] == [name for _, name in ranked]


def test_a_study_that_is_not_there_is_not_seen(shown: tuple[Path, StudyRecord, TrackingLinks], ui: str) -> None:
    from playwright.sync_api import TimeoutError as NotSeen

    _, study, links = shown
    with browser_page() as page:
        check_ui(page, ui, study, links)
        page.set_default_timeout(3_000)
        with pytest.raises(NotSeen):
            check_ui(page, ui, dataclasses.replace(study, trials=study.trials[:-1]), links)
