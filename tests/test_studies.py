"""The studies that come with the package, and the page that documents every key of a study."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from helpers.datasets import installed

from lstmgru.data.forecasting.windows import evaluation_cutoffs
from lstmgru.data.sequences.datasets import LABELLED_DATASETS
from lstmgru.data.tables.datasets import DATASETS
from lstmgru.evaluation.metrics import find_metric, metric_names
from search.config.validation import config_fields
from search.errors import StudyFileError
from search.tasks import TASKS, make_plan
from search.tasks.forecasting.config import ForecastStudyConfig
from search.tasks.sequences.config import SequenceStudyConfig
from search.tasks.sequences.plan import SequencePlan
from search.tasks.study_file import read_study_file

STUDIES = Path(__file__).parent.parent / "studies"
FILES = sorted(STUDIES.glob("*.yaml"))
BENCHMARKS = sorted((STUDIES.parent / "benchmarks").glob("*.yaml"))
README = (STUDIES / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_shipped_study_loads_by_path_and_by_name(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    loaded = read_study_file(file)

    assert loaded.config.name == file.stem
    assert read_study_file(file.stem).config == loaded.config
    assert f"| `{file.stem}` |" in README


@pytest.mark.parametrize("file", BENCHMARKS, ids=[file.stem for file in BENCHMARKS])
def test_the_study_of_a_benchmark_loads(file: Path) -> None:
    assert read_study_file(file).config.name == file.stem


def test_without_a_name_the_weather_study_is_loaded() -> None:
    config = read_study_file().config

    assert config.name == "weather"
    assert (config.data.dataset, config.data.time, config.data.targets) == ("seattle_weather", ("date",), ("temp_max",))
    assert (config.forecast.horizon, config.splits.holdout, config.search.trials) == (7, 180, 30)


@pytest.mark.parametrize("dataset", [installed(name) for name in DATASETS])
def test_every_data_set_has_a_shipped_study_that_scores_each_of_its_series(dataset: str) -> None:
    [file] = [file for file in FILES if read_study_file(file).config.data.dataset == dataset]

    plan = make_plan(read_study_file(file).config, study_file=file)

    data = plan.panel
    assert (len(data), len(data.times), data.frequency) == {
        "seattle_weather": (1, 1461, "D"),
        "traffic_hourly": (1, 17_520, "h"),
        "us_employment": (23, 23 * 120, "MS"),
        "stocks": (5, 12_154 + 458, "B"),
    }[dataset]
    for split in (*plan.splits.folds, plan.splits.holdout):
        cutoffs = evaluation_cutoffs(
            data,
            split,
            context_length=plan.longest_context,
            horizon=plan.forecast.horizon,
            stride=plan.splits.stride,
        )
        scored = np.searchsorted(data.offsets, cutoffs, side="right") - 1
        assert np.unique(scored).tolist() == list(range(len(data)))


@pytest.mark.parametrize("dataset", [installed(name) for name in LABELLED_DATASETS])
def test_every_labeled_data_set_has_a_shipped_study(dataset: str) -> None:
    [file] = [file for file in FILES if read_study_file(file).config.data.dataset == dataset]

    plan = make_plan(read_study_file(file).config, study_file=file)

    assert isinstance(plan, SequencePlan)
    assert (len(plan.labels.classes), plan.has_test_part) == {"vowels": (9, True), "languages": (15, False)}[dataset]
    assert set(plan.sequences.labels[plan.holdout.evaluation]) == set(range(len(plan.labels.classes)))


@pytest.mark.parametrize("name", [*DATASETS, *LABELLED_DATASETS])
def test_the_page_says_which_package_brings_a_data_set_and_its_licence(name: str) -> None:
    dataset = {**DATASETS, **LABELLED_DATASETS}[name]

    table = README.partition("| data set |")[2].partition("\n\n")[0]
    [row] = re.findall(rf"^\| `{name}` \| (.+) \|$", table, re.MULTILINE)

    _, package, license = row.split(" | ")
    assert package.startswith(f"{dataset.package} (")
    assert package.endswith(", extra `studies`") == (dataset.extra == "studies")
    terms = ("public domain", "CC BY 4.0", "Unicode License v3")
    assert any(term in license and term in dataset.license for term in terms)


def test_the_page_documents_every_key() -> None:
    forecasts, _, labels = README.partition("## Keys")[2].partition("## Keys of classification and regression")
    known, own = (set(re.findall(r"^\| `([a-z_.]+)` \|", part, re.MULTILINE)) for part in (forecasts, labels))

    assert known == set(config_fields(ForecastStudyConfig))
    assert own | known >= set(config_fields(SequenceStudyConfig))


def test_the_page_lists_every_metric_with_its_tasks_its_unit_and_its_direction() -> None:
    table = README.partition("## Metrics")[2].partition("## Keys")[0]
    rows = {name: rest for name, *rest in re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \| .+ \|$", table, re.M)}
    metrics = {name: find_metric(name) for task in TASKS for name in metric_names(task)}

    assert rows == {
        name: [", ".join(metric.tasks), metric.unit, "larger" if metric.larger_is_better else "smaller"]
        for name, metric in metrics.items()
    }


def yaml_blocks() -> list[str]:
    """The studies on the page: two whole ones, and one with problems."""
    return re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(("number", "task"), [(0, "forecast"), (1, "classification")])
def test_the_examples_of_whole_studies_are_some(number: int, task: str, tmp_path: Path) -> None:
    file = tmp_path / "sales.yaml"
    file.write_text(yaml_blocks()[number], encoding="utf-8")

    config = read_study_file(file).config
    assert (config.name, config.task) == ("sales", task)


def test_the_example_of_a_study_with_problems_has_those_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("studies/shop.yaml")
    file.parent.mkdir()
    file.write_text(yaml_blocks()[2], encoding="utf-8")

    with pytest.raises(StudyFileError) as caught:
        read_study_file("shop")
    assert f"```\nerror: {caught.value}\n```" in README
