"""Where MLflow keeps a study, and that talking to it has no side effects."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.combinations import each_row
from helpers.mlflow_store import client, make_store, runs
from helpers.synthetic_study import finished_study, make_study, make_trial

from search.errors import TrackingError
from search.study.records import TrackingLinks
from search.tracking.base import NullTracker
from search.tracking.factory import make_tracker, sync_study
from search.tracking.mlflow_projection import MlflowProjection
from search.tracking.store import artifact_location, default_tracking_uri, study_tracking_uri, without_password

URIS = [
    (None, None, "sqlite:////home/user/mlruns/mlflow.db"),
    (None, "http://env:5000", "http://env:5000"),
    ("http://configured:5000", "http://env:5000", "http://configured:5000"),
    ("sqlite:///here.db", None, "sqlite:////home/user/here.db"),
    ("sqlite:////there/mlflow.db", None, "sqlite:////there/mlflow.db"),
    ("postgresql+psycopg://u@db/mlflow", None, "postgresql+psycopg://u@db/mlflow"),
    ("databricks", None, "databricks"),
]


@each_row(("configured", "environment", "expected"), URIS)
def test_the_tracking_uri_is_the_configured_one_then_the_environments_then_the_folders(
    monkeypatch: pytest.MonkeyPatch, configured: str | None, environment: str | None, expected: str
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if environment:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", environment)
    assert default_tracking_uri(configured, Path("/home/user")) == expected


DEFAULT = "sqlite:///{folder}/mlruns/mlflow.db"
WHERE = [
    (None, None, DEFAULT),
    (None, "http://host:5000", "http://host:5000"),
    ("sqlite:///other.db", None, "sqlite:///{folder}/other.db"),
    ("http://me:s3cret@host:5000", "http://me:***@host:5000", "http://me:s3cret@host:5000"),
    (None, "sqlite:///{folder}/there.db", "sqlite:///{folder}/there.db"),
    (None, "sqlite:////before/it/was/moved/mlruns/mlflow.db", DEFAULT),
]


@pytest.mark.parametrize(("configured", "tracked", "expected"), WHERE)
def test_a_study_is_looked_at_where_it_was_tracked_unless_that_moved_along_with_the_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, configured: str | None, tracked: str | None, expected: str
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "there.db").touch()
    links = TrackingLinks(tracked.format(folder=tmp_path), "1", "parent") if tracked else None
    study = make_study(config={"tracking": {"uri": configured}}, mlflow=links)
    assert study_tracking_uri(study, tmp_path) == expected.format(folder=tmp_path)


@pytest.mark.parametrize("uri", ["file:./mlruns", "./mlruns", "/tmp/mlruns"])
def test_a_plain_folder_as_a_store_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(TrackingError, match=rf"^MLFLOW_TRACKING_URI is '{uri}', but .* sqlite:///mlruns/mlflow.db"):
        default_tracking_uri(None, Path("/home/user"))


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("http://host:5000", None),
        ("databricks", None),
        ("sqlite:////a b/mlflow.db", "file:///a%20b/artifacts"),
        ("postgresql://db/mlflow", "file:///home/user/mlruns/artifacts"),
    ],
)
def test_files_lie_beside_the_database_unless_a_server_keeps_them(uri: str, location: str | None) -> None:
    assert artifact_location(uri, Path("/home/user")) == location


@pytest.mark.parametrize("name", ["with a space", "ü#&+", "100%20"])
def test_any_folder_can_hold_the_store(tmp_path: Path, name: str) -> None:
    folder = make_store(tmp_path / name)
    links = sync_study(finished_study(1), folder=folder)
    assert len(runs(client(folder))) == 2
    assert (folder / "mlruns" / "artifacts" / links.parent_run_id / "artifacts" / "leaderboard.md").exists()


@pytest.mark.slow
def test_a_new_store_is_made_without_a_sound(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from helpers.synthetic_study import finished_study\n"
        "from search.tracking.factory import sync_study\n"
        "sync_study(finished_study(2), folder=Path('.'))"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW", "PYTEST"))}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[2])])
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert {path.name for path in (tmp_path / "mlruns").iterdir()} == {"mlflow.db", "artifacts"}
    assert {path.name for path in tmp_path.iterdir()} == {"mlruns"}


def test_a_password_is_neither_shown_nor_stored() -> None:
    assert without_password("https://me:s3cret@host:5000/path") == "https://me:***@host:5000/path"
    assert without_password("sqlite:////a/b.db") == "sqlite:////a/b.db"
    tracker = MlflowProjection("http://me:s3cret@127.0.0.1:9", Path())
    with pytest.raises(
        TrackingError, match=r"MLflow at http://me:\*\*\*@127.0.0.1:9 failed: Connection refused"
    ) as caught:
        tracker.start(make_study())
    assert "s3cret" not in str(caught.value)


def test_a_study_that_wants_no_tracking_gets_none(tmp_path: Path) -> None:
    from search.tasks.forecasting.config import ForecastStudyConfig

    sections = {
        "name": "quiet",
        "data": {"dataset": "seattle_weather", "time": "date", "target": "temp_max"},
        "forecast": {"horizon": 7},
        "splits": {"holdout": 60, "folds": 2},
        "tracking": {"enabled": False},
    }
    config = ForecastStudyConfig.model_validate(sections)
    tracker = make_tracker(config, tmp_path, on_problem=pytest.fail)
    assert isinstance(tracker, NullTracker)
    with tracker:
        tracker.start(make_study())
        tracker.update(make_trial(0))
        assert tracker.finish(finished_study(1), status="FINISHED") is None
    assert not list(tmp_path.iterdir())


def test_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, search.tracking; "
        "print(*{'mlflow', 'optuna', 'pandas', 'torch', 'plotly', 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
