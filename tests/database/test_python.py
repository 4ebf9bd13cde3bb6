"""A study in a database, read in Python on a machine where it was not begun."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.drivers import NUMBERS, without_onnx
from helpers.postgresql import PostgreSQL
from helpers.studies import write_study

from search import load_study, run_study
from search.errors import StudyNotFound


@pytest.mark.slow
def test_a_study_in_a_database_is_read_refreshed_drawn_and_reported_elsewhere(
    tmp_path: Path, server: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, elsewhere = server.url(server.database()), tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("STUDIES", url)
    with without_onnx():
        ran = run_study(write_study(tmp_path, NUMBERS), trials=2, storage="env:STUDIES", folder=tmp_path)
    assert load_study("tiny", folder=tmp_path).trials.equals(ran.trials)
    monkeypatch.delenv("STUDIES")
    with pytest.raises(StudyNotFound, match="there is no study 'tiny'"):
        load_study("tiny", folder=elsewhere)

    study = load_study("tiny", folder=elsewhere, storage=url)

    assert study.refresh().trials["value"].tolist() == ran.trials["value"].tolist()
    assert study.verdict == ran.verdict
    assert "MAE by trial" in study.plot("history").svg
    (elsewhere / "studies").mkdir()
    assert "tiny: report" in study.report(elsewhere / "report.html").read_text(encoding="utf-8")
