"""What docs/cluster.md shows of other programs: files of Ray, Kubernetes and SLURM, and scripts."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.executors import NEEDS_RAY
from typer.main import get_command

from search.cli.app import app
from search.tasks.study_file import read_study_file

PAGE = (Path(__file__).parent.parent / "docs" / "cluster.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SCRIPTS = [content for language, content in BLOCKS if language == "sh"]
STUDY, CLOUD, JOB = (yaml.safe_load(content) for language, content in BLOCKS if language == "yaml")

# Fields of ray.io/v1 and of pods that the page may use.
JOB_FIELDS = {
    "entrypoint", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "backoffLimit", "activeDeadlineSeconds",
    "submissionMode", "runtimeEnvYAML", "suspend", "rayClusterSpec",
}  # fmt: skip
CLUSTER_FIELDS = {
    "rayVersion", "enableInTreeAutoscaling", "autoscalerOptions", "headGroupSpec", "workerGroupSpecs",
}  # fmt: skip
GROUP_FIELDS = {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}
POD_FIELDS = {"containers", "volumes"}
CONTAINER_FIELDS = {"name", "image", "resources", "env", "volumeMounts"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("number", range(len(SCRIPTS)))
def test_scripts_are_those_of_bash(number: int) -> None:
    done = subprocess.run(["bash", "-n"], input=SCRIPTS[number], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_searches_in_scripts_and_jobs_are_commands_that_the_program_takes() -> None:
    entrypoint = JOB["spec"]["entrypoint"]
    found = re.findall(r"python -m search (\w+)((?: [^\n#'\"|&]+)?)", "\n".join([*SCRIPTS, entrypoint]))
    commands: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]

    assert len(found) >= 8
    for name, arguments in found:
        commands[name].make_context(name, shlex.split(arguments.replace("\\\n", " ")))


def test_the_study_is_one_with_these_settings(tmp_path: Path) -> None:
    study: dict[str, Any] = {"name": "sales", "data": {"path": "t.csv", "time": "day", "target": "y"}}
    study |= {"forecast": {"horizon": 3}, "splits": {"holdout": 9}}
    (tmp_path / "sales.yaml").write_text(yaml.safe_dump(study | STUDY))

    assert read_study_file(tmp_path / "sales.yaml").config.search.executor == STUDY["search"]["executor"]


@NEEDS_RAY
def test_the_cluster_of_ray_up_is_one_that_ray_takes() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    spec = find_spec("ray")
    assert spec is not None
    assert spec.origin is not None
    schema = json.loads((Path(spec.origin).parent / "autoscaler" / "ray-schema.json").read_text())

    jsonschema.validate(CLOUD, schema)
    types = CLOUD["available_node_types"]
    assert CLOUD["head_node_type"] in types
    assert sum(each.get("max_workers", 0) for each in types.values()) <= CLOUD["max_workers"]
    assert {key for each in types.values() for key in each} <= {
        "resources", "node_config", "min_workers", "max_workers",
    }  # fmt: skip


@NEEDS_RAY
def test_the_submitted_job_is_one_that_ray_takes() -> None:
    cli = pytest.importorskip("ray.dashboard.modules.job.cli", exc_type=ImportError)
    (script,) = (script for script in SCRIPTS if "ray job submit" in script)
    words = shlex.split(script.replace("\\\n", " "))
    context = cli.submit.make_context("submit", words[words.index("submit") + 1 :])

    assert context.params["address"].startswith("http://")
    assert context.params["entrypoint"][:2] == ("bash", "-c")


def test_the_job_of_kubernetes_has_fields_that_kuberay_knows() -> None:
    assert (JOB["apiVersion"], JOB["kind"]) == ("ray.io/v1", "RayJob")
    cluster = JOB["spec"]["rayClusterSpec"]
    assert set(JOB["spec"]) <= JOB_FIELDS
    assert set(cluster) <= CLUSTER_FIELDS
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in groups:
        assert set(group) <= GROUP_FIELDS
        pod = group["template"]["spec"]
        assert set(pod) <= POD_FIELDS
        (container,) = pod["containers"]
        assert set(container) <= CONTAINER_FIELDS
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert all(group["minReplicas"] <= group["replicas"] <= group["maxReplicas"] for group in groups[1:])


def test_versions_of_ray_on_the_page_are_the_same() -> None:
    versions = set(re.findall(r"rayproject/ray:([\d.]+)-", PAGE)) | {str(JOB["spec"]["rayClusterSpec"]["rayVersion"])}

    assert len(versions) == 1
