"""A look at the MLflow UI with the system's Chromium."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from search.study.records import StudyRecord, TrackingLinks
from search.tracking.entries import trial_name

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-sync", "--no-first-run"]
_FLAGS += ["--disable-background-networking", "--disable-component-update"]
_TIMEOUT_MS = 60_000


@contextmanager
def browser_page() -> Iterator[Page]:
    """A page of a headless Chromium that waits a minute for what it is asked for."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        page = browser.new_page(viewport={"width": 1600, "height": 1200})
        page.set_default_timeout(_TIMEOUT_MS)
        try:
            yield page
        finally:
            browser.close()


def check_ui(page: Page, server: str, study: StudyRecord, links: TrackingLinks) -> None:
    """Look for the study in the UI: its parent run, a run for each trial that ran and each baseline, its model.

    Args:
        page: Of a browser.
        server: Where the UI is, as ``http://127.0.0.1:5000``.
        study: What should be there.
        links: Where it should be.
    """
    ran = [trial for trial in study.trials if trial.state != "WAITING"]
    runs = f"{server}/#/experiments/{links.experiment_id}/runs"
    page.goto(f"{runs}?workflowType=machine_learning")
    page.get_by_role("link", name=study.study, exact=True).first.wait_for()
    page.get_by_text(re.compile(rf"^\s*{len(ran) + len(study.baselines) + 1}\s+matching runs")).wait_for()

    page.goto(f"{runs}/{links.parent_run_id}")
    page.get_by_role("heading", name=study.study, exact=True).wait_for()
    for trial in ran:
        page.get_by_role("link", name=trial_name(trial), exact=True).first.wait_for()
    page.get_by_text("best_score", exact=True).first.wait_for()
    if links.model_uri is None:
        return
    name = links.model_uri.removeprefix("models:/").removesuffix("@champion")
    page.get_by_role("link", name=re.compile(rf"^\s*{re.escape(name)}\s*v?\d*\s*$")).first.wait_for()

    page.goto(f"{server}/#/models/{name}")
    page.get_by_role("heading", name=name, exact=True).wait_for()
    page.get_by_role("link", name="Version 1", exact=True).wait_for()
    page.get_by_text(re.compile(r"@\s*champion")).first.wait_for()


def check_trial(page: Page, server: str, links: TrackingLinks, number: int, metrics: list[str]) -> None:
    """Look for a trial's metrics and for the drawing of its learning curve.

    Args:
        page: Of a browser.
        server: Where the UI is.
        links: Where the study is.
        number: Of the trial.
        metrics: Names that must be there.
    """
    run = f"{server}/#/experiments/{links.experiment_id}/runs/{links.trial_run_ids[number]}"
    page.goto(run)
    for name in metrics:
        page.get_by_role("link", name=name, exact=True).first.wait_for()
    page.goto(f"{run}/model-metrics")
    page.locator(".js-plotly-plot path.js-line").first.wait_for(state="attached")


def foreign_requests(page: Page, server: str) -> list[str]:
    """A list that fills with every address outside the server that the page asks for."""
    found: list[str] = []

    def note(request: Any) -> None:
        if not request.url.startswith((server, "data:", "blob:")):
            found.append(request.url)

    page.on("request", note)
    return found
