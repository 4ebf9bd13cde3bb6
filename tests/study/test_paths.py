"""The files of a study: no two studies, and no study and comparison, share one."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from search.compare.store import refuse_study
from search.errors import StudyMismatch
from search.study.journal import open_storage
from search.study.paths import StudyPaths, checkpoint_path, free_path, report_path, studies_in
from search.study.store import StudyStore

ATTRIBUTES = {"task": "forecast", "config": {}, "identity": {}, "data": {}, "metric": "mae"}


def files(name: str) -> list[Path]:
    paths = StudyPaths(Path(), name)
    own = [paths.journal, paths.lock, paths.bundle, paths.report, paths.predictions, checkpoint_path(paths.journal)]
    return [*own, paths.comparison_journal, paths.comparison_lock, checkpoint_path(paths.comparison_journal)]


def test_a_name_with_dots_is_kept_whole() -> None:
    assert [str(path) for path in files("x.v2")] == [
        f"studies/x.v2{ending}"
        for ending in (
            ".journal",
            ".lock",
            ".bundle",
            ".report",
            ".predictions",
            ".checkpoint",
            ".compare.journal",
            ".compare.lock",
            ".compare.checkpoint",
        )
    ]
    assert report_path(Path("models/x.v2")) == Path("models/x.v2.report")


def test_no_two_studies_share_a_file() -> None:
    names = ["x", "x.v2", "x.bundle", "x.lock", "x.report", "x.predictions", "x.v2.lock", "x.checkpoint", "x-compare"]
    for one, other in combinations(names, 2):
        assert not {*files(one)} & {*files(other)}


@pytest.mark.parametrize(
    ("recorded", "there", "found"),
    [
        (None, ["studies/x.bundle"], None),
        ("elsewhere", ["elsewhere", "studies/x.bundle"], "studies/x.bundle"),
        ("elsewhere", ["elsewhere"], "elsewhere"),
        ("/before/it/was/moved/studies/x.bundle", ["studies/x.bundle"], "studies/x.bundle"),
        ("elsewhere", [], None),
    ],
)
def test_a_model_is_found_where_it_was_written_or_beside_its_journal(
    recorded: str | None, there: list[str], found: str | None, tmp_path: Path
) -> None:
    for name in there:
        (tmp_path / name).mkdir(parents=True)
    assert StudyPaths(tmp_path, "x").find_bundle(recorded) == (None if found is None else tmp_path / found)


def test_the_studies_of_a_folder_are_named_without_their_comparisons(tmp_path: Path) -> None:
    assert studies_in(tmp_path) == []
    (tmp_path / "studies").mkdir()
    for name in ("y.journal", "x.v2.journal", "x.v2.compare.journal", "x.lock"):
        (tmp_path / "studies" / name).touch()
    assert studies_in(tmp_path) == ["x.v2", "y"]


def test_a_damaged_journal_gets_a_name_that_is_free(tmp_path: Path) -> None:
    journal = tmp_path / "x.journal"
    for name in ("x.journal.damaged", "x.journal.damaged-2", "x.journal.damaged-3"):
        assert free_path(journal, ".damaged").name == name
        free_path(journal, ".damaged").touch()


def test_a_comparison_does_not_touch_a_study_from_before_its_name_was_reserved(tmp_path: Path) -> None:
    paths = StudyPaths(tmp_path, "x")
    paths.studies.mkdir()
    refuse_study(paths)
    paths.comparison_journal.write_text("damaged\n")
    refuse_study(paths)  # it says nothing about a file that --fresh may remove

    paths.comparison_journal.unlink()
    storage = open_storage(paths.comparison_journal)
    StudyStore.create(storage, "x", direction="minimize", attributes=ATTRIBUTES)  # as a comparison does
    refuse_study(paths)
    StudyStore.create(storage, "x.compare", direction="minimize", attributes=ATTRIBUTES)
    with pytest.raises(StudyMismatch, match=r"x\.compare\.journal holds the trials of a study named 'x\.compare'"):
        refuse_study(paths)
