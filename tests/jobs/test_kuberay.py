"""The file for Kubernetes: its fields are those of KubeRay's types, its parts agree, and kubectl applies it."""

import re
import shlex

import jsonschema
import pytest
import yaml

from tests.clusters.composing import composes
from tests.clusters.kubernetes import RAY_JOB, started_kubernetes
from tests.clusters.recipes import JOBS, ROOT


@pytest.fixture
def ray_job():
    return yaml.safe_load((JOBS / "kuberay_rayjob.yaml").read_text())


def test_the_ray_job_has_the_fields_of_its_type(ray_job):
    jsonschema.validate(ray_job, RAY_JOB)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "ttlSecondsAfterFinnished"), 600),
        (("spec", "rayClusterSpec", "headGroupSpec", "rayStartParams", "num-cpus"), 0),
        (("spec", "backoffLimit"), "3"),
        (("apiVersion",), "ray.io/v2"),
    ],
)
def test_the_check_of_the_ray_job_can_fail(ray_job, path, value):
    *parents, last = path
    node = ray_job
    for name in parents:
        node = node[name]
    node[last] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(ray_job, RAY_JOB)


def test_the_nodes_of_the_ray_job_agree(ray_job):
    spec = ray_job["spec"]["rayClusterSpec"]
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    pods = [group["template"]["spec"] for group in groups]
    containers = [container for pod in pods for container in pod["containers"]]
    assert len({container["image"] for container in containers}) == 1
    for pod in pods:
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]} == volumes
    for container in containers:
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
    gpus = [int(container["resources"]["limits"].get("nvidia.com/gpu", "0")) for container in containers]
    assert gpus[0] == 0, "the head node runs the driver alone"
    assert 0 in gpus[1:], "a group decodes and measures without GPUs"
    assert max(gpus) > 0
    assert f"ray=={spec['rayVersion']}" in (ROOT / "constraints.txt").read_text().splitlines()
    mounted = [mount["mountPath"] for mount in containers[0]["volumeMounts"]]
    written = re.findall(r"=(/[^/ ]+)", ray_job["spec"]["entrypoint"])
    assert set(written) <= set(mounted)


def test_the_entrypoint_of_the_ray_job_composes(ray_job):
    program, *words = shlex.split(ray_job["spec"]["entrypoint"])
    assert program == "harness"
    composes(words)


@pytest.fixture
def kubernetes(tmp_path):
    with started_kubernetes(tmp_path) as kubernetes:
        yield kubernetes


def test_the_ray_job_is_applied_as_it_is_read(kubernetes, ray_job):
    code, output = kubernetes.kubectl("apply", "-f", "jobs/kuberay_rayjob.yaml")
    assert code == 0, output
    assert kubernetes.applied["calibration"]["spec"] == ray_job["spec"]
    assert kubernetes.kubectl("logs", "-f", "job/calibration") == (0, ray_job["spec"]["entrypoint"])


def test_a_ray_job_of_wrong_fields_is_not_applied(kubernetes, ray_job, tmp_path):
    ray_job["spec"]["ttlSecondsAfterFinnished"] = ray_job["spec"].pop("ttlSecondsAfterFinished")
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(ray_job))
    code, output = kubernetes.kubectl("apply", "-f", str(tmp_path / "job.yaml"))
    assert code == 1
    assert "ttlSecondsAfterFinnished" in output
    assert not kubernetes.applied
