"""The main job as a user runs it: one process, one small study, every command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row
from helpers.drivers import Notes, drive, plan_of
from helpers.json_output import valid_json
from helpers.studies import TINY, search, search_here, shop_table, shown, write_study

from lstmgru.bundle import load_bundle
from search import run_study
from search.run.runner import run
from search.study.paths import StudyPaths
from search.study.records import TrialRecord
from search.study.store import StudyStore

UNTRACKED = ("--set", "tracking.enabled=false")
BEFORE = "export: {train_on: before_holdout}\n"
"""The exported model is the one that was scored."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny study has been run once, with MLflow."""
    folder = tmp_path_factory.mktemp("run")
    write_study(folder, TINY + BEFORE)
    result = search_here(folder, "run", "tiny.yaml")
    (folder / "output.txt").write_text(result.stdout + result.stderr)
    assert result.returncode == 0, result.stderr
    return folder


def test_the_output_tells_the_whole_story_without_a_terminal(folder: Path) -> None:
    output = (folder / "output.txt").read_text()
    for fragment in (
        "tiny: forecast sales 3 steps ahead, minimize MAE",
        "leaderboard",
        "baseline: naive",
        "baseline: seasonal naive",
        "baseline: linear",
        "baseline: theta",
        "baseline: ets",
        "baseline: trees",
        "4 trials: ",
        "on the holdout",
        "python -m search predict studies/tiny.bundle",
        "python -m search ui tiny",
    ):
        assert fragment in output
    assert "Traceback" not in output
    assert "\x1b[" not in output


def test_everything_lies_below_the_current_folder(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names == {"shop.csv", "tiny.yaml", "output.txt", "studies", "mlruns"}
    bundle = folder / "studies" / "tiny.bundle"
    description = json.loads((bundle / "bundle.json").read_text())
    assert (bundle / "model.onnx").is_file() == (description["onnx_problem"] is None)
    assert (folder / "mlruns" / "mlflow.db").is_file()


def test_show_json_holds_what_the_run_found(folder: Path) -> None:
    document = shown(folder)
    trials = document["trials"]
    assert [trial["number"] for trial in trials] == [0, 1, 2, 3]
    complete = [trial for trial in trials if trial["state"] == "COMPLETE"]
    assert document["best"] == min(complete, key=lambda trial: trial["value"])
    assert set(document["baselines"]) == {"naive", "seasonal_naive", "linear", "theta", "ets", "trees"}
    assert all(baseline["holdout"] is not None for baseline in document["baselines"].values())
    assert document["holdout"]["score"] == document["holdout"]["metrics"]["mae"]
    assert Path(document["bundle"]).is_dir()
    assert document["mlflow"]["tracking_uri"].startswith("sqlite:///")
    assert all(trial["mlflow_run_id"] for trial in trials)


def test_the_holdout_score_is_the_one_of_the_exported_model(folder: Path) -> None:
    document = shown(folder)
    bundle = load_bundle(Path(document["bundle"]))
    table = shop_table()
    errors = []
    for cutoff in range(len(table) - 20, len(table) - 2):
        forecast = bundle.predict(table.iloc[:cutoff])
        truth = table["sales"].to_numpy()[cutoff : cutoff + 3]
        errors.append(np.abs(forecast["forecast"].to_numpy() - truth).mean())
    assert np.mean(errors) == pytest.approx(document["holdout"]["score"], rel=1e-4)


def test_predict_writes_the_days_after_the_table(folder: Path, tmp_path: Path) -> None:
    bundle = shown(folder)["bundle"]
    shop_table().tail(30).to_csv(tmp_path / "new.csv", index=False)
    result = search_here(tmp_path, "predict", bundle, "--data", "new.csv", "--output", "forecasts.csv")
    assert result.returncode == 0, result.stderr
    forecasts = pd.read_csv(tmp_path / "forecasts.csv")
    levels = ["lower_80", "upper_80", "lower_95", "upper_95"]
    assert forecasts.columns.tolist() == ["day", "target", "forecast", *levels]
    assert forecasts["day"].str[:10].tolist() == ["2022-07-22", "2022-07-23", "2022-07-24"]
    assert forecasts["forecast"].between(10, 30).all()


def test_export_copies_the_model_and_refuses_to_overwrite(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "models" / "tiny"
    result = search_here(folder, "export", "tiny", "--to", str(target))
    assert result.returncode == 0, result.stderr
    assert load_bundle(target).forecast.horizon == 3
    again = search_here(folder, "export", "tiny", "--to", str(target))
    assert again.returncode == 2
    assert "exists" in again.stderr


@each_row(
    ("command", "written"),
    [
        (("export", "tiny", "--to", "{}/model"), "model/bundle.json"),
        (("report", "tiny", "--output", "{}/page.html"), "page.html"),
        (("sync", "tiny", "--tracking-uri", "sqlite:///{}/copy.db"), "copy.db"),
        (("backtest", "tiny", "--data", "shop.csv", "--no-track", "--output", "{}/scores.html"), "scores.html"),
    ],
)
def test_quiet_commands_print_their_result_only(
    folder: Path, command: tuple[str, ...], written: str, tmp_path: Path
) -> None:
    result = search_here(folder, *(argument.format(tmp_path) for argument in command), "--quiet")

    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert (tmp_path / written).is_file()
    if command[0] == "backtest":
        assert "MAE" in result.stdout
        assert "note:" not in result.stdout
        assert "scores.html" not in result.stdout
    else:
        assert result.stdout == ""


@pytest.mark.slow
def test_a_process_of_its_own_runs_a_study(tmp_path: Path) -> None:
    write_study(tmp_path)
    result = search(tmp_path, "run", "tiny.yaml", "--trials", "1")
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "studies" / "tiny.bundle" / "bundle.json").is_file()
    assert shown(tmp_path)["trials"][0]["mlflow_run_id"]


@pytest.mark.slow
def test_running_a_finished_study_again_changes_nothing(folder: Path) -> None:
    before = shown(folder)
    result = search_here(folder, "run", "tiny.yaml")
    assert result.returncode == 0, result.stderr
    assert "refitting" not in result.stdout
    assert shown(folder) == before


@pytest.mark.slow
def test_a_larger_total_adds_trials_and_keeps_the_old_ones(folder: Path) -> None:
    before = shown(folder)
    result = search_here(folder, "run", "tiny.yaml", "--trials", "5")
    assert result.returncode == 0, result.stderr
    assert "resuming: 4 trials have ended, 5 are requested in total" in result.stdout
    after = shown(folder)
    assert after["trials"][:4] == before["trials"]
    assert len(after["trials"]) == 5


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        (("--set", "forecast.horizon=4"), "forecast.horizon was 3, is 4"),
        (("--set", "space.hidden_size=[4, 16]"), "space.hidden_size was [4, 8], is [4, 16]"),
        (("--data", "other.csv"), "data.digest was"),
    ],
)
def test_the_same_name_with_other_data_or_space_is_refused(
    folder: Path, changes: tuple[str, ...], fragment: str
) -> None:
    shop_table(rows=210).to_csv(folder / "other.csv", index=False)
    before = shown(folder)
    result = search_here(folder, "run", "tiny.yaml", *changes)
    (folder / "other.csv").unlink()
    assert result.returncode == 2
    assert fragment in result.stderr
    assert "--fresh" in result.stderr
    assert "Traceback" not in result.stderr
    assert shown(folder) == before


@pytest.mark.slow
def test_the_same_seed_with_one_job_gives_the_same_trials_and_scores(folder: Path, tmp_path: Path) -> None:
    write_study(tmp_path)
    assert search_here(tmp_path, "run", "tiny.yaml", *UNTRACKED).returncode == 0
    keys = ("number", "state", "value", "params", "n_parameters", "epochs")

    def fingerprint(of: Path) -> list[list[object]]:
        return [[trial[key] for key in keys] for trial in shown(of)["trials"][:4]]

    assert fingerprint(tmp_path) == fingerprint(folder)
    assert shown(tmp_path)["mlflow"] is None


def stored(folder: Path) -> StudyStore:
    store = StudyStore.find(StudyPaths(folder, "tiny"))
    assert store is not None
    return store


def test_from_python_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("search.run.driver._NOTE_SECONDS", float("inf"))  # the time is stored at the end only
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path)
    result = run_study("tiny.yaml", trials=2, overrides=["tracking.enabled=false", "splits.folds=1"])
    assert capfd.readouterr() == ("", "")
    measures = ["n_parameters", "latency", "train_seconds", "seconds"]
    assert list(result.leaderboard.columns)[:8] == ["model", "trial", "folds", "holdout", *measures]
    ranked = result.leaderboard[result.leaderboard["model"] != "blend"]
    assert ranked["folds"].is_monotonic_increasing
    assert len(ranked) == 2 - sum(trial.state != "COMPLETE" for trial in result.record.trials) + 6
    assert len(result.predict(shop_table())) == 3
    assert stored(tmp_path).get("elapsed") >= sum(trial.seconds or 0.0 for trial in result.record.trials)


class _Stopped(Exception):
    """Ends a run of a test."""


class _UntilItIsSaid(Notes):
    """Ends a run when a message begins so, or when a trial ends."""

    def __init__(self, beginning: str) -> None:
        super().__init__()
        self._beginning = beginning

    def on_message(self, text: str) -> None:
        """Kept."""
        super().on_message(text)
        if text.startswith(self._beginning):
            raise _Stopped

    def on_trial(self, trial: TrialRecord, progress: object) -> None:
        """There should be none."""
        raise AssertionError(f"trial {trial.number} was run")


class _UntilThePlan(Notes):
    """Ends a run when the study is open."""

    def on_plan(self, plan: object, study: object) -> None:
        """The end."""
        raise _Stopped


def test_the_time_limit_is_a_total_over_all_runs(tmp_path: Path) -> None:
    drive(tmp_path, "search.trials=1").set("elapsed", 3599.0)
    listener = _UntilItIsSaid("the time budget of 3600 s ended the search after 1 of 3 trials; rerun with a longer ")
    plan = plan_of(tmp_path, "search.trials=3", "search.timeout=3600", "search.executor=in_process")
    with pytest.raises(_Stopped):
        run(plan, folder=tmp_path, fresh=False, listener=listener)


def test_fresh_removes_everything_of_the_old_study_and_nothing_else(tmp_path: Path) -> None:
    drive(tmp_path, "search.trials=1")
    paths = StudyPaths(tmp_path, "tiny")
    uid = stored(tmp_path).get("uid")
    others = [paths.studies / "other.bundle", paths.studies / "tiny.compare.report"]
    for folder in (paths.bundle, paths.report, paths.predictions, *others):
        folder.mkdir(exist_ok=True)
        (folder / "old").touch()
    with pytest.raises(_Stopped):
        run(plan_of(tmp_path), folder=tmp_path, fresh=True, listener=_UntilThePlan())
    left = {path.name for path in paths.studies.iterdir() if path.suffix not in (".lock", ".checkpoint")}
    assert left == {"tiny.journal", "other.bundle", "tiny.compare.report"}
    assert all((folder / "old").exists() for folder in others)
    assert stored(tmp_path).get("uid") != uid
    assert {trial.state for trial in stored(tmp_path).record().trials} == {"WAITING"}


@pytest.mark.slow
def test_fresh_says_what_goes_and_starts_over(tmp_path: Path) -> None:
    write_study(tmp_path)
    assert search_here(tmp_path, "run", "tiny.yaml", "--trials", "1", *UNTRACKED).returncode == 0
    (tmp_path / "studies" / "tiny.predictions" / "stray").touch()
    result = search_here(tmp_path, "run", "tiny.yaml", "--trials", "1", "--fresh", "--seed", "7", *UNTRACKED)
    assert result.returncode == 0, result.stderr
    assert (
        "starting over: 1 trial in studies/tiny.journal, the predictions in studies/tiny.predictions, the model in "
        "studies/tiny.bundle and the reports in studies/tiny.report will be removed"
    ) in result.stdout.replace(f"{tmp_path}/", "")
    assert not (tmp_path / "studies" / "tiny.predictions" / "stray").exists()
    assert len(shown(tmp_path)["trials"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["random", "grid"])
def test_the_other_samplers_run_a_study(tmp_path: Path, sampler: str) -> None:
    write_study(tmp_path)
    grid = (
        "n_layers=1",
        "dropout=0",
        "learning_rate=[0.003, 0.01]",
        "normalization=fold",
        "cell=gru",
        "context_length=7",
    )
    space = [argument for value in grid for argument in ("--set", f"space.{value}")]
    methods = ("--set", f"search.sampler={sampler}", "--set", "search.pruner=none")
    result = search_here(tmp_path, "run", "tiny.yaml", *methods, *space, *UNTRACKED)
    assert result.returncode == 0, result.stderr
    params = [json.dumps(trial["params"], sort_keys=True) for trial in shown(tmp_path)["trials"]]
    assert len(params) == 4
    if sampler == "grid":
        assert len(set(params)) == 4


GOAL = """\
search:
  trials: 6
  jobs: 1
  pruner: none
  objectives: [score, n_parameters]
  prefer: {score: 0.5, n_parameters: 0.5}
  bounds: [latency <= 10s, n_parameters <= 600]
  try_first: [{n_layers: 1, hidden_size_1: 4, cell_1: gru}, {n_layers: 2, hidden_size_1: 8, hidden_size_2: 8}]
"""
"""Two objectives and two bounds; the first trial keeps them, the second breaks one."""


@pytest.mark.slow
def test_several_objectives_and_bounds_from_the_file_to_mlflow(tmp_path: Path) -> None:
    write_study(tmp_path, TINY.replace("search:\n  trials: 4\n  jobs: 1\n", GOAL))
    checked = search_here(tmp_path, "check", "tiny.yaml")
    assert "minimize MAE and n_parameters, with latency <= 10000ms and n_parameters <= 600" in checked.stdout
    told = " ".join(checked.stdout.split())
    assert "tried first n_layers 1, hidden_size_1 4, cell_1 gru" in told
    assert "tried first portfolio (3)" in told
    result = search_here(tmp_path, "run", "tiny.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert "note:" not in result.stdout

    document = shown(tmp_path)
    trials = document["trials"]
    assert document["objectives"] == ["score", "n_parameters"]
    assert document["bounds"] == ["latency <= 10000ms", "n_parameters <= 600"]
    assert [trial["feasible"] for trial in trials] == [trial["n_parameters"] <= 600 for trial in trials]
    assert [trial["feasible"] for trial in trials[:2]] == [True, False]
    front = [trial["number"] for trial in trials if trial["pareto"]]
    assert document["best"]["number"] in front
    output = result.stdout
    assert f"trial {document['best']['number']} is preferred with score 0.5, n_parameters 0.5." in output
    assert f"refitting trial {document['best']['number']}, " in output
    assert "n_parameters <= 600" in output.partition("leaderboard")[2]

    import mlflow

    client = mlflow.MlflowClient(document["mlflow"]["tracking_uri"])
    parent = client.get_run(document["mlflow"]["parent_run_id"])
    assert parent.data.tags["pareto_front"] == ", ".join(map(str, front))
    assert parent.data.tags["objectives"] == "score, n_parameters"
    assert parent.data.tags["best_trial"] == str(document["best"]["number"])
    assert [trial["origin"] for trial in trials] == ["search.try_first"] * 2 + ["portfolio"] * 3 + [None]
    for trial in trials:
        run = client.get_run(trial["mlflow_run_id"])
        assert run.data.tags.get("origin") == trial["origin"]
        assert trial["state"] == "COMPLETE"
        assert run.data.tags["pareto"] == str(trial["pareto"]).lower()
        assert run.data.tags["breaks"] == ("nothing" if trial["feasible"] else "n_parameters <= 600")
        assert run.data.metrics["latency"] == pytest.approx(trial["latency"])
        assert run.data.metrics["train_seconds"] == pytest.approx(trial["train_seconds"])


def test_a_study_whose_trials_break_its_bounds_ends_with_exit_code_1_and_the_nearest_one(tmp_path: Path) -> None:
    write_study(tmp_path)
    bounds = ("--set", "search.bounds=n_parameters <= 10", "--set", "search.blend=off", "--trials", "2")
    result = search_here(tmp_path, "run", "tiny.yaml", *bounds, *UNTRACKED)
    assert result.returncode == 1
    assert "none of 2 complete trials satisfies n_parameters <= 10: the closest is trial " in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "studies" / "tiny.bundle").exists()
    document = shown(tmp_path)
    assert document["best"] is None
    assert [trial["feasible"] for trial in document["trials"]] == [False, False]
    told = search_here(tmp_path, "show", "tiny").stdout
    assert "Bounds: n_parameters <= 10; 2 of 2 break one." in told


def test_a_trial_that_fails_says_why_and_the_study_goes_on(tmp_path: Path) -> None:
    wild = ("space.learning_rate=[0.01, 1e30]", "training.gradient_clip=null", "search.sampler=random")
    trials = drive(tmp_path, *wild, "search.trials=6").record().trials
    assert {trial.state for trial in trials} == {"COMPLETE", "FAIL"}
    assert all("TrainingDiverged" in str(trial.reason) for trial in trials if trial.state == "FAIL")
    assert trials[-1].number == 5


def test_a_study_of_failures_ends_with_exit_code_1_and_the_reason(tmp_path: Path) -> None:
    write_study(tmp_path)
    wild = ("--set", "space.learning_rate=1e30", "--set", "training.gradient_clip=null")
    off = ("--set", "search.blend=off", *UNTRACKED)
    result = search_here(tmp_path, "run", "tiny.yaml", "--trials", "2", *wild, *off)
    assert result.returncode == 1
    assert "no trial completed: " in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "studies" / "tiny.bundle").exists()


@pytest.mark.parametrize(
    ("setting", "said", "verdict"),
    [
        (
            ("space.learning_rate=1e30", "training.gradient_clip=null"),
            "no trial completed: TrainingDiverged",
            "No network completed, so ",
        ),
        (
            ("search.bounds=n_parameters <= 10",),
            "none of 2 complete trials satisfies n_parameters <= 10: the closest is trial ",
            "No complete network satisfies the bounds, so ",
        ),
    ],
)
def test_without_a_network_the_baselines_are_exported_and_it_is_said(
    setting: tuple[str, ...], said: str, verdict: str, tmp_path: Path
) -> None:
    write_study(tmp_path)
    options = [option for each in (*setting, "splits.folds=1") for option in ("--set", each)]
    result = search_here(tmp_path, "run", "tiny.yaml", "--trials", "2", *options, *UNTRACKED)
    assert result.returncode == 0, result.stderr
    assert f"note: {said}" in result.stdout
    assert verdict in result.stdout
    document = shown(tmp_path)
    assert document["best"] is None
    assert document["blend"]["single"] is None
    assert all("baseline" in member for member in document["blend"]["members"])
    assert document["blend"]["holdout"] == document["holdout"]["score"]
    assert len(load_bundle(Path(document["bundle"])).predict(shop_table())) == 3


def test_a_backtest_of_the_holdout_finds_the_scores_of_the_holdout(folder: Path) -> None:
    """The model was trained before the holdout, so that these are the rows that it has not learned from."""
    document = shown(folder)
    result = search_here(folder, "backtest", "tiny", "--data", "shop.csv", "--json", "--no-track")
    assert result.returncode == 0, result.stderr
    found = valid_json("backtest", result.stdout)
    assert found["metrics"] == pytest.approx(document["holdout"]["metrics"], rel=1e-4)
    for name, each in found["baselines"].items():
        assert each["score"] == pytest.approx(document["baselines"][name]["holdout"], rel=1e-6)
    assert set(found["baselines"]) >= {"naive", "seasonal_naive", "linear"}
    for now, then in zip(found["intervals"], document["holdout"]["intervals"], strict=True):
        assert now == pytest.approx(then, rel=1e-4)
