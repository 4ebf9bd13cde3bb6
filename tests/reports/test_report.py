"""The report of a study: one page with everything, whatever there is."""

from __future__ import annotations

import dataclasses
import html
import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
from helpers.chart_texts import unreadable
from helpers.mlflow_ui import CHROMIUM, browser_page
from helpers.report_study import Made, make_store
from helpers.studies import TINY, search_here, write_study
from helpers.synthetic_study import finished_study, make_study, make_trial

from search.api import load_record
from search.errors import TrackingError
from search.reports.leaderboard import first_rows
from search.reports.outcome import leaderboard_html
from search.reports.report import report_html, write_report
from search.study.journal import open_storage
from search.study.paths import FORECASTS_TABLE, REPORT_PAGE, report_path
from search.study.records import HoldoutRecord, IntervalRecord, StudyRecord
from search.study.store import StudyStore
from search.tasks import find_task
from search.tasks.stored_study import store_of
from search.tracking import describe
from search.tracking.factory import sync_study

optuna.logging.set_verbosity(optuna.logging.WARNING)

PAGES = find_task("forecast").pages
SECTIONS = ["Leaderboard", "Holdout forecasts", "Search", "Best architecture", "Setup"]
FORECASTS = """\
series,target,cutoff,time,actual,forecast,lower_80,upper_80
shop,sales,2022-07-18,2022-07-18,20.5,,,
shop,sales,2022-07-18,2022-07-19,21.5,21.0,20.0,22.0
shop,sales,2022-07-18,2022-07-20,19.5,20.0,19.0,21.0
"""


def page_of(store: StudyStore, **changes: Any) -> str:
    return report_html(
        dataclasses.replace(store.record(), **changes), store.study, find_task(store.record().task).pages
    )


def text_of(page: str) -> str:
    """What is read, without scripts, styles and tags."""
    body = re.sub(r"<(script|style)\b.*?</\1>", "", page.rpartition("<body>")[2], flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def section(page: str, title: str) -> str:
    return page.partition(f">{title}</h2>")[2].partition("<h2")[0]


def holdout(trial: int = 0, **changes: Any) -> HoldoutRecord:
    intervals = (IntervalRecord(0.8, 0.826, 8.84), IntervalRecord(0.95, 0.97, 14.2))
    record = HoldoutRecord(trial, 2.568, {"rmse": 3.3, "mae": 2.568, "mase": float("nan")}, "It wins.", True, intervals)
    return dataclasses.replace(record, **changes)


def exported(folder: Path, provenance: dict[str, Any] | None = None, forecasts: str | None = FORECASTS) -> str:
    """A directory with the description of a model, and the forecasts beside it."""
    bundle = folder / "tiny.bundle"
    bundle.mkdir()
    (bundle / "bundle.json").write_text(json.dumps({"provenance": provenance or {}}))
    if forecasts is not None:
        report_path(bundle).mkdir()
        (report_path(bundle) / FORECASTS_TABLE).write_text(forecasts)
    return str(bundle)


# --- what is there ----------------------------------------------------------------------------------------------------


def test_a_finished_study_has_everything(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made()] * 8)

    page = page_of(store, holdout=holdout(), bundle=exported(tmp_path))

    assert re.findall(r"<h2 id=.*?>(.*?)</h2>", page) == SECTIONS
    assert '<p class="verdict good"><strong>Use this model</strong> It wins.</p>' in page
    assert page.count('class="diagram"') == 1
    assert section(page, "Holdout forecasts").count("<title>Forecasts and actual values of") == 1
    assert len(page.encode()) < 200_000
    said = text_of(page)
    assert "80% 82.6% 8.84 95% 97.0% 14.20" in said
    assert "MAE 2.568 RMSE 3.300 MASE undefined" in said
    assert "8 trials: 8 complete." in said


def test_the_contents_lead_to_the_sections(tmp_path: Path) -> None:
    page = page_of(make_store(tmp_path, []))

    links = re.findall(r'<a href="#(.*?)">', page)
    assert len(links) == len(SECTIONS)
    assert links == re.findall(r'<h2 id="(.*?)">', page)


@pytest.mark.parametrize(
    ("trials", "said", "unsaid"),
    [
        ([], ["The study has no trials yet.", "the baselines are not scored yet"], ["the study is running"]),
        (
            [Made("FAIL", reason="TrainingDiverged: loss is nan")] * 2 + [Made("FAIL", reason="MemoryError")],
            [
                "3 trials: 3 failed.", "No trial is complete, so nothing is known", "no best architecture",
                "TrainingDiverged: loss is nan 2 0, 1 MemoryError 1 2",
            ],
            [],
        ),
        (
            [Made(), Made("PRUNED", reason="worse"), Made("RUNNING"), Made("WAITING")],
            ["4 trials: 1 complete, 1 pruned, 1 running, 1 waiting. The study is running, or was killed"],
            ["Failed trials", "No trial is complete"],
        ),
        ([Made(), Made("WAITING")], ["The study was interrupted; run the same command"], ["is running"]),
        (
            [Made("PRUNED", reason="the time budget ended")],
            ["1 trial: 1 stopped.", "No trial is complete, so nothing is known"],
            ["pruned"],
        ),
    ],
    ids=["nothing", "failed", "running", "interrupted", "stopped"],
)  # fmt: skip
def test_an_unfinished_study_says_what_it_is(
    tmp_path: Path, trials: Sequence[Made], said: list[str], unsaid: list[str]
) -> None:
    text = text_of(page_of(make_store(tmp_path, trials, baselines=bool(trials))))

    assert "There is no verdict yet" in text
    assert "The holdout has not been scored yet" in text
    assert "No model has been exported yet" in text
    assert [part for part in said if part not in text] == []
    assert [part for part in unsaid if part in text] == []


def test_a_page_without_charts_is_small(tmp_path: Path) -> None:
    assert len(page_of(make_store(tmp_path, []))) < 40_000


def test_a_study_of_thirty_trials_makes_a_page_of_less_than_500_kb(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made()] * 30, overrides=["space={preset: full}"])

    assert len(page_of(store, holdout=holdout(), bundle=exported(tmp_path)).encode()) < 500_000


def test_a_second_look_at_the_holdout_is_said(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made()])

    assert "scored for 2 models" in page_of(store, holdout=holdout(looks=2))
    assert "scored for" not in page_of(store, holdout=holdout())


def test_missing_intervals_are_said(tmp_path: Path) -> None:
    page = page_of(make_store(tmp_path, [Made()]), holdout=holdout(intervals=()))

    assert "There are no prediction intervals whose coverage could be measured." in page


@pytest.mark.parametrize(
    ("forecasts", "said"),
    [
        (None, "The forecasts are no longer available"),
        ("series,target\n", "has no column 'cutoff'"),
        (FORECASTS.replace("2022-07-19", "soon"), "is not a table of forecasts"),
        (FORECASTS.splitlines()[0] + "\n" + FORECASTS.splitlines()[1], "has no forecast"),
        ("", "is not a table of forecasts: No columns to parse from file"),
    ],
)
def test_forecasts_that_cannot_be_drawn_are_explained(tmp_path: Path, forecasts: str | None, said: str) -> None:
    store = make_store(tmp_path, [Made()])

    page = page_of(store, holdout=holdout(), bundle=exported(tmp_path, forecasts=forecasts))

    assert said in text_of(section(page, "Holdout forecasts"))


# --- the leaderboard --------------------------------------------------------------------------------------------------


def test_the_leaderboard_has_the_baselines_and_marks_the_winner(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made(values=(3.0,)), Made(values=(2.5,)), Made(values=(3.2,))])

    board = section(page_of(store, holdout=holdout(1)), "Leaderboard")

    rows = re.findall(r"<tr( class=\"\w+\")?(?: data-trial=\"\d+\")?><td", board)
    assert rows == [' class="winner"', ' class="baseline"', "", "", ' class="baseline"']
    assert re.findall(r"baseline: [\w ]+", board) == ["baseline: linear", "baseline: naive"]


def test_the_worst_of_many_trials_are_folded_away(tmp_path: Path) -> None:
    board = section(page_of(make_store(tmp_path, [Made()] * 40)), "Leaderboard")

    before, _, after = board.partition("<details>")
    assert before.count("<tr") == 1 + 15 + 2
    assert after.startswith("<summary>25 more trials</summary>")
    assert after.count("<tr") == 1 + 25


def test_the_exported_trial_is_shown_even_if_many_have_better_scores_on_the_folds(tmp_path: Path) -> None:
    trials = [Made(values=(2.5 + number / 100,)) for number in range(40)]
    store = make_store(tmp_path, trials)

    before, _, after = section(page_of(store, holdout=holdout(39)), "Leaderboard").partition("<details>")

    assert before.count('<tr class="winner" data-trial="39">') == 1
    assert 'data-trial="39"' not in after
    rows, hidden = first_rows(dataclasses.replace(store.record(), holdout=holdout(39)))
    assert [row.trial for row in rows if row.trial is not None] == [*range(10), 39]
    assert hidden == 29


def test_of_several_objectives_all_of_the_front_is_shown_with_what_was_measured(tmp_path: Path) -> None:
    values = [(3.0 + number, 0.009 - 0.0001 * number) for number in range(20)] + [(30.0, 0.009)] * 5
    store = make_store(tmp_path, [Made(values=each) for each in values], objectives=("score", "latency"))

    board = section(page_of(store), "Leaderboard")

    before, _, after = board.partition("<details>")
    assert before.count('<td class="number">*</td>') == 20
    assert after.count("<tr") == 1 + 5
    assert '<td class="number">8.90 ms</td>' in before
    assert "of these, trial 0 is preferred by the weights score 1." in board


def test_trials_outside_of_a_bound_say_which(tmp_path: Path) -> None:
    trials = [Made(values=(3.0,)), Made(values=(2.0,))]
    store = make_store(tmp_path, trials, overrides=["search.bounds=n_parameters <= 1000"])

    board = section(page_of(store), "Leaderboard")

    assert re.findall(r"<td>(n_parameters.*?)</td>", board) == ["n_parameters &lt;= 1000"]
    assert board.count('<tr class="outside" data-trial="1">') == 1
    assert "cannot win and come last: 1 of 2." in board
    assert "Trial 0:" in text_of(section(page_of(store), "Best architecture"))


def test_a_study_without_a_trial_within_the_bounds_says_so(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made()], overrides=["search.bounds=n_parameters <= 10"])

    assert "No complete trial satisfies the bounds, so there is no best architecture." in page_of(store)


# --- the architecture -------------------------------------------------------------------------------------------------


def test_the_best_trial_is_drawn_and_after_the_end_the_winner(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made(values=(3.0,)), Made(values=(2.5,))])
    layers = [trial.user_attrs["layers"] for trial in store.study.trials]
    assert layers[0] != layers[1]

    def drawn(page: str) -> str:
        return text_of(section(page, "Best architecture"))

    best, winner = drawn(page_of(store)), drawn(page_of(store, holdout=holdout(0)))

    assert best.startswith(f"Trial 1: {layers[1]} Diagram of the network {layers[1]}")
    assert winner.startswith(f"Trial 0: {layers[0]} Diagram of the network {layers[0]}")
    assert f"learning rate {store.study.trials[1].params['learning_rate']:.4g}" in best
    assert "score of fold 2 2.5" in best


def test_an_architecture_that_cannot_be_built_is_not_drawn(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made()])
    store.study.set_user_attr("identity", {**store.get("identity"), "space.cell": ["lstm", "mine"]})

    page = page_of(store)

    assert 'class="diagram"' not in page
    assert "It cannot be drawn: the cell &#x27;mine&#x27; is not registered in this process" in page
    assert "The search space cannot be listed: the cell" in page
    assert "hidden size 1" in text_of(page)


# --- what was run -----------------------------------------------------------------------------------------------------


def test_settings_data_machine_and_versions_are_there(tmp_path: Path) -> None:
    provenance = {"created": "2026-01-31T12:34:56+01:00", "accelerator": "gpu", "versions": {"torch": "1.2.3"}}
    store = make_store(tmp_path, [Made()])

    page = page_of(store, holdout=holdout(), bundle=exported(tmp_path, provenance))

    said = text_of(section(page, "Setup"))
    assert "2 folds (expanding), then a holdout of 20 steps" in said
    assert "sampler, pruner tpe, screening" in said
    assert f"digest {store.get('data')['digest'][:16]}…" in said
    assert "time 2026-01-31 11:34 UTC" in said
    assert "device gpu" in said
    assert f"torch 1.2.3 {__import__('torch').__version__}" in said
    assert f"optuna {optuna.__version__}" in said
    assert "cores" in said
    assert "horizon: 3" in said  # the study file
    assert "hidden_size 4, 8" in said  # the space


@pytest.mark.parametrize("content", [None, "{", "[]", '{"model": 1}'])
def test_a_model_that_does_not_say_where_it_is_from_is_named(tmp_path: Path, content: str | None) -> None:
    store = make_store(tmp_path, [Made()])
    bundle = tmp_path / "tiny.bundle"
    bundle.mkdir()
    if content is not None:
        (bundle / "bundle.json").write_text(content)

    page = page_of(store, holdout=holdout(), bundle=str(bundle))

    assert "The provenance of the exported model cannot be read" in page


def test_a_password_of_the_tracking_server_is_not_shown(tmp_path: Path) -> None:
    store = make_store(tmp_path, [], overrides=["tracking.uri=postgresql://me:secret@127.0.0.1/db"])

    assert "secret" not in page_of(store)


# --- a page by itself -------------------------------------------------------------------------------------------------

NASTY = ["<script>alert(1)</script> & co", '"></title></head><img src=x onerror=alert(1)>']


@pytest.mark.parametrize("name", NASTY)
def test_names_cannot_break_out_of_the_page(tmp_path: Path, name: str) -> None:
    store = make_store(tmp_path, [Made()] * 5 + [Made("FAIL", reason=name)], name=name)
    record = store.record()
    config = json.loads(json.dumps(record.config).replace('"sales"', json.dumps(name)))
    forecasts = FORECASTS.replace("shop", '"' + name.replace('"', '""') + '"').replace("sales", "target")
    changed = {"config": config, "data": record.data | {"source": name}, "bundle": exported(tmp_path, {}, forecasts)}

    page = page_of(store, holdout=holdout(verdict=name), **changed)

    assert name not in page
    assert page.count("<script") == page.count("</script>")
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert markup.count("</title>") == 1 + markup.count('role="img"')
    assert name in text_of(page)


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    page = page_of(make_store(tmp_path, [Made()] * 8), holdout=holdout(), bundle=exported(tmp_path))

    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"(src|url|@import)\s*[=(]", markup)
    assert [link for link in re.findall(r'href\s*=\s*"(.*?)"', markup) if not link.startswith("#")] == []
    assert set(re.findall(r"\w+://[^\s\"]+", markup)) == {"http://www.w3.org/2000/svg"}  # the namespace of the diagram
    assert not re.search(r"<script[^>]+src=", page)


# --- MLflow -----------------------------------------------------------------------------------------------------------


def artifacts(folder: Path, run: str) -> dict[str, Path]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")
    return {
        file.path: folder / "mlruns" / "artifacts" / run / "artifacts" / file.path
        for file in client.list_artifacts(run)
    }


@pytest.mark.slow
def test_the_report_stands_in_mlflow_with_the_forecasts(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made()] * 5)
    record = dataclasses.replace(make_study(make_trial(0)), bundle=None)

    links = sync_study(record, store.study, folder=tmp_path)

    found = artifacts(tmp_path, links.parent_run_id)
    assert set(found) == {"study.yaml", "leaderboard.csv", "leaderboard.json", "leaderboard.md", REPORT_PAGE}
    assert "<h1>weather: report</h1>" in found[REPORT_PAGE].read_text(encoding="utf-8")


def test_a_report_that_cannot_be_drawn_is_an_error_of_tracking(tmp_path: Path) -> None:
    study: StudyRecord = finished_study(2)
    store = make_store(tmp_path, [Made()])
    broken = dataclasses.replace(study, config={**study.config, "training": 3})

    with pytest.raises(TrackingError, match="the report of study 'weather' cannot be written"):
        describe.write_report(tmp_path, broken, store.study)


# --- the command ------------------------------------------------------------------------------------------------------


def test_a_study_that_was_never_run_has_no_report(tmp_path: Path) -> None:
    write_study(tmp_path)

    result = search_here(tmp_path, "report", "tiny.yaml")

    assert result.returncode == 2
    assert result.stderr.startswith("error: study 'tiny' has not been run in")
    assert not (tmp_path / "studies").exists()


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a small study has been run."""
    folder = tmp_path_factory.mktemp("run")
    write_study(folder, TINY)
    result = search_here(folder, "run", "tiny.yaml")
    assert result.returncode == 0, result.stderr
    return folder


@pytest.mark.slow
def test_the_command_writes_the_page_beside_the_forecasts(run_folder: Path) -> None:
    result = search_here(run_folder, "report", "tiny")

    assert result.returncode == 0, result.stderr
    assert result.stdout == "report written to studies/tiny.report/report.html\n"
    assert result.stderr == ""
    page = (run_folder / "studies" / "tiny.report" / REPORT_PAGE).read_text(encoding="utf-8")
    record = load_record("tiny", run_folder)
    assert record.holdout is not None
    assert record.holdout.verdict in page
    assert section(page, "Holdout forecasts").count("<title>Forecasts and actual values of") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("found", "said"), [(True, ""), (False, "note: no browser was found; open the file yourself\n")]
)
def test_the_page_is_opened_in_a_browser_if_there_is_one(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, found: bool, said: str
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or found)

    result = search_here(run_folder, "report", "tiny", "--open")

    assert (result.returncode, result.stderr) == (0, said)
    assert opened == [(run_folder / "studies" / "tiny.report" / REPORT_PAGE).as_uri()]


@pytest.mark.slow
def test_the_page_can_be_written_elsewhere(run_folder: Path, tmp_path: Path) -> None:
    result = search_here(run_folder, "report", "tiny", "--output", str(tmp_path / "page.html"))

    assert result.stdout == f"report written to {tmp_path / 'page.html'}\n"
    assert (tmp_path / "page.html").exists()
    for place, message in [
        (tmp_path / "no" / "page.html", "no is not a directory; choose another place"),
        (tmp_path / "sales.csv", "sales.csv: a page is written as .html but the name ends in '.csv'"),
    ]:
        wrong = search_here(run_folder, "report", "tiny", "--output", str(place))
        assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
        assert message in wrong.stderr


@pytest.mark.slow
def test_the_folder_of_a_study_may_move(run_folder: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(run_folder / "studies", tmp_path / "elsewhere" / "studies").parent
    store = StudyStore.load(open_storage(moved / "studies" / "tiny.journal"), "tiny")
    assert store is not None
    store.set("bundle", str(tmp_path / "gone" / "tiny.bundle"))

    page = write_report(store_of("tiny", moved), PAGES).read_text(encoding="utf-8")

    assert section(page, "Holdout forecasts").count("<title>Forecasts and actual values of") == 1
    assert "exported model" in section(page, "Setup")


@pytest.mark.slow
def test_a_run_leaves_its_report_in_mlflow(run_folder: Path) -> None:
    record = load_record("tiny", run_folder)
    assert record.mlflow is not None
    assert record.holdout is not None

    found = artifacts(run_folder, record.mlflow.parent_run_id)

    assert {REPORT_PAGE, FORECASTS_TABLE} <= set(found)
    assert not {"plots.html", "forecasts.html"} & set(found)
    assert record.holdout.verdict in found[REPORT_PAGE].read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("REQUIRE_BROWSER"), reason="there is no chromium on this machine"
)
@pytest.mark.parametrize("width", [1200, 400])
def test_a_browser_draws_the_report_within_its_width(run_folder: Path, width: int, tmp_path: Path) -> None:
    path = write_report(store_of("tiny", run_folder), PAGES, tmp_path / "report.html")
    asked: list[str] = []
    with browser_page() as page:
        page.set_viewport_size({"width": width, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: asked.append(str(error)))
        page.on("console", lambda message: asked.append(message.text))
        page.goto(path.as_uri())
        assert page.locator("figure.chart").count() >= 8
        assert unreadable(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
        # All words of the diagram stand in it.
        diagram = page.locator("svg.diagram")
        outer = diagram.bounding_box()
        assert outer is not None
        for text in diagram.locator("text").all():
            box = text.bounding_box()
            assert box is not None
            assert outer["x"] <= box["x"], text.text_content()
            assert box["x"] + box["width"] <= outer["x"] + outer["width"], text.text_content()
        page.get_by_role("link", name="Search", exact=True).click()
        assert page.evaluate("window.scrollY") > 500
        page.get_by_text("Study, data, machine and versions").click()
        page.get_by_text("The study file, defaults filled in").click()
        page.get_by_text("context_length:").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == width
    assert [entry for entry in asked if not entry.startswith(path.as_uri())] == []


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("REQUIRE_BROWSER"), reason="there is no chromium on this machine"
)
def test_a_browser_refuses_what_would_come_from_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    page_text = page_of(make_store(tmp_path, []))
    path.write_text(page_text.replace("</h1>", '</h1><img src="http://127.0.0.1:9/x.png">'), encoding="utf-8")
    said: list[str] = []
    with browser_page() as page:
        page.on("console", lambda message: said.append(message.text))
        page.goto(path.as_uri())
        page.wait_for_timeout(300)
    assert any("Content Security Policy" in text for text in said)


def test_tables_that_are_folded_away_list_the_first_of_very_many_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.reports.outcome._MOST_LINES", 3)
    page = leaderboard_html(finished_study(60))

    assert re.search(r"<summary>\d+ more trials; the first 3 are listed, and show --json lists all</summary>", page)
    assert page.partition("<details>")[2].count("<tr") == 1 + 3
