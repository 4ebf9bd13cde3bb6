"""The command from its beginning to its end: errors, Ctrl-C, files, MLflow, and a second run."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers.drivers import Notes, plan_of
from helpers.executors import NEEDS_RAY, skip_without_ray
from helpers.json_output import valid_json
from helpers.running_comparisons import LABEL_STUDIES, TWO, opened, states
from helpers.sequence_studies import write_label_study
from helpers.studies import search, search_here, start, write_study
from helpers.waiting import PATIENCE

from search.api import run_comparison
from search.compare.runner import compare
from search.compare.store import existing_comparison
from search.compare.time_budget import Options
from search.errors import ComparisonUnfinished, StudyBusy
from search.study.journal import exclusive
from search.study.paths import StudyPaths
from search.study.storages import place_of


def test_too_short_a_time_is_an_error_that_keeps_what_is_done(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, text=TWO)

    with pytest.raises(
        ComparisonUnfinished, match=r"limit of 3 s was reached before lstm, gru had a trial; about \d+ s"
    ):
        compare(plan, Options(timeout=3.0), folder=tmp_path, fresh=False, listener=Notes())

    place = place_of(StudyPaths(tmp_path, "tiny")).comparison()
    whole = existing_comparison(place)
    assert whole is not None
    assert whole.get("elapsed") is not None
    whole.set("elapsed", 7000.0)
    with pytest.raises(ComparisonUnfinished, match="limit of 7010 s was reached before lstm, gru had a trial"):
        compare(plan, Options(timeout=7010.0, trials=1, seeds=1), folder=tmp_path, fresh=False, listener=Notes())
    whole = existing_comparison(place)
    assert whole is not None
    assert 7000 <= whole.get("elapsed") < 7060


def test_two_comparisons_of_a_study_do_not_run_at_once(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, text=TWO)

    with (
        exclusive(StudyPaths(tmp_path, "tiny").comparison_lock, "tiny.compare"),
        pytest.raises(StudyBusy, match=r"tiny\.compare"),
    ):
        compare(plan, Options(), folder=tmp_path, fresh=False, listener=Notes())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seeds", "0"), "error: --seeds must be a whole number from 1 to 100 but got '0'"),
        (
            ("--set", "compare.families={a: {cell: lst}, b: {}}"),
            "compare.families.a.cell must be one of lstm, gru, fused",
        ),
    ],
)
def test_wrong_input_ends_with_exit_code_2_and_one_message(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    write_study(tmp_path, TWO)

    result = search_here(tmp_path, "compare", "tiny.yaml", *arguments)

    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "studies").exists()


@contextmanager
def interrupted_when(condition: Callable[[], bool]) -> Iterator[None]:
    """Ctrl-C as soon as something is true; nothing but the command in this process hears it."""

    def watch() -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, lambda *_: None)
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    write_study(tmp_path, TWO)
    journal = StudyPaths(tmp_path, "tiny").comparison_journal

    with interrupted_when(lambda: journal.exists() and '"values":[' in journal.read_text(errors="replace")):
        result = search_here(tmp_path, "compare", "tiny.yaml", "--trials", "500")

    assert result.returncode == 130
    assert "interrupted: finished trials are kept, and the same command resumes the comparison" in result.stdout
    _, store = opened(tmp_path)
    found = states(store)
    assert {state for family in found.values() for state in family} <= {"COMPLETE", "WAITING"}
    assert found["lstm"].count("COMPLETE") >= 1


@pytest.mark.slow
def test_ctrl_c_ends_a_process_of_its_own(tmp_path: Path) -> None:
    write_study(tmp_path, TWO)
    with start(tmp_path, "compare", "tiny.yaml", "--trials", "500") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if " done " in line:
                break
        process.send_signal(signal.SIGINT)
        output = process.stdout.read()

    assert process.returncode == 130
    assert "interrupted: finished trials are kept, and the same command resumes the comparison" in output
    assert "Traceback" not in output
    _, store = opened(tmp_path)
    found = states(store)
    assert {state for family in found.values() for state in family} <= {"COMPLETE", "WAITING"}
    assert found["lstm"].count("COMPLETE") >= 1


@pytest.mark.slow
def test_a_comparison_is_told_in_every_place_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    write_study(tmp_path, TWO.replace("tracking: {enabled: false}\n", ""))
    command = ("compare", "tiny.yaml", "--trials", "2", "--seeds", "2", "--json")

    first = search(tmp_path, *command, timeout=240)

    assert first.returncode == 0, first.stderr
    found = valid_json("compare", first.stdout)
    assert "has not been run here; the comparison starts without trials" in first.stderr
    assert {family["name"] for family in found["families"]} == {"lstm", "gru"}
    for family in found["families"]:
        assert family["trials"]["total"] == found["trials"] == 2
        assert family["seeds"] == len(family["folds"]["by_seed"]) == 2
        assert len(family["steps"]) == found["horizon"] == 3
        assert family["latency"] > 0
        assert family["memory"] >= 0
    assert {each["name"] for each in found["baseline_results"]} == found["baselines"].keys() >= {"naive", "linear"}
    for baseline in found["baseline_results"]:
        assert len(baseline["steps"]) == 3
        assert baseline["latency"] > 0
        assert baseline["difference"]["mean"] == pytest.approx(
            baseline["holdout"]["mean"] - _of(found, found["best"])["holdout"]["mean"], rel=1e-5
        )
    folder = tmp_path / "studies" / "tiny.report"
    assert json.loads((folder / "compare.json").read_text()) == found
    assert found["verdict"] in (folder / "compare.html").read_text()
    runs = _runs(tmp_path)
    assert [(run.data.tags["kind"], run.data.tags["study"]) for run in runs] == [("comparison", "tiny")]

    second = search(tmp_path, *command, timeout=240)

    assert second.returncode == 0, second.stderr
    again = json.loads(second.stdout)
    assert {**again, "seconds": 0} == {**found, "seconds": 0}
    assert [run.info.run_id for run in _runs(tmp_path)] == [run.info.run_id for run in runs]
    history = _client(tmp_path).get_metric_history(runs[0].info.run_id, "gru/folds")
    assert [point.value for point in history] == [pytest.approx(_of(found, "gru")["folds"]["mean"])]


@pytest.mark.slow
def test_the_run_stands_below_that_of_the_study(tmp_path: Path) -> None:
    text = TWO.replace("horizon: 3,", "horizon: 3, metric: wql,")  # for which baselines need their calibrations
    write_study(tmp_path, text.replace("tracking: {enabled: false}\n", ""))
    assert search(tmp_path, "run", "tiny.yaml", "--trials", "2").returncode == 0

    result = run_comparison(tmp_path / "tiny.yaml", trials=2, seeds=1, folder=tmp_path, data=tmp_path / "shop.csv")

    (run,) = _runs(tmp_path)
    parent = _client(tmp_path).get_run(run.data.tags["mlflow.parentRunId"])
    assert parent.info.run_name == "tiny"
    assert sum(family.trials.inherited for family in result.families) > 0
    assert {each.name for each in result.baseline_results} == result.baselines.keys()
    # It finds the study's own runs, and leaves this one alone.
    assert search_here(tmp_path, "sync", "tiny").returncode == 0
    assert [each.info.run_id for each in _runs(tmp_path)] == [run.info.run_id]


@pytest.mark.slow
@pytest.mark.parametrize("study", ["waves", "notes"])
def test_a_study_of_labels_is_compared_by_the_command(study: str, tmp_path: Path) -> None:
    families = "compare: {families: {lstm: {cell: lstm}, gru: {cell: gru}}}\n"
    text = LABEL_STUDIES[study] + "tracking: {enabled: false}\n" + families
    write_label_study(tmp_path, text)
    command = ("compare", f"{study}.yaml", "--trials", "2", "--seeds", "2", "--json")

    first = search(tmp_path, *command, timeout=240)

    assert first.returncode == 0, first.stderr
    found = valid_json("compare", first.stdout)
    assert found["direction"] == "maximize"
    for family in found["families"]:
        assert family["seeds"] == len(family["holdout"]["by_seed"]) == 2
        assert family["latency"] > 0
        assert {each["name"] for each in family["classes"]} == (
            {"fast", "flat", "slow"} if study == "waves" else {"good", "bad"}
        )
    assert {"majority"} < found["baselines"].keys()
    assert {each["name"] for each in found["baseline_results"]} == found["baselines"].keys()
    page = (tmp_path / "studies" / f"{study}.report" / "compare.html").read_text()
    assert "By class" in page
    assert "By length" in page

    second = search_here(tmp_path, *command)

    assert second.returncode == 0, second.stderr
    assert {**json.loads(second.stdout), "seconds": 0} == {**found, "seconds": 0}
    told = search_here(tmp_path, *command[:-1])
    assert told.returncode == 0, told.stderr
    assert "larger is better" in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80


@pytest.mark.slow
@NEEDS_RAY
def test_on_a_cluster_families_have_the_scores_of_this_process(tmp_path: Path) -> None:
    skip_without_ray()
    found = []
    for executor in ("ray", "in_process"):
        folder = tmp_path / executor
        folder.mkdir()
        write_study(folder, TWO)
        options = ("--trials", "2", "--seeds", "2", "--executor", executor, "--json")
        result = search(folder, "compare", "tiny.yaml", *options, timeout=240)
        assert result.returncode == 0, result.stderr
        found.append(json.loads(result.stdout))

    ray, here = found
    assert [family["name"] for family in ray["families"]] == ["lstm", "gru"]
    for key in ("folds", "holdout", "trials", "seeds", "steps", "standing"):
        assert [family[key] for family in ray["families"]] == [family[key] for family in here["families"]]
    scores = [{each["name"]: each["holdout"] for each in comparison["baseline_results"]} for comparison in found]
    assert scores[0] == scores[1]


def _of(comparison: dict[str, Any], family: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in comparison["families"] if each["name"] == family)
    return found


def _client(folder: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")


def _runs(folder: Path) -> list[Any]:
    client = _client(folder)
    experiments = [each.experiment_id for each in client.search_experiments()]
    return list(client.search_runs(experiments, "tags.kind = 'comparison'"))
