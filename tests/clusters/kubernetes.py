"""What of a Kubernetes with KubeRay answers kubectl: it takes RayJobs of the right fields, and has their output.

KubeRay submits a RayJob from a Job of the same name, whose pod prints what the entrypoint prints; here it is the
entrypoint. Kubectl is the real one where it is installed, as where CI=true it must be.
"""

import contextlib
import json
import os
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jsonschema
import yaml

from tests.clusters.recipes import ROOT


def of(required, **properties):
    """The schema of a mapping with these fields and no others."""
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


TEXT = {"type": "string"}
WHOLE = {"type": "integer", "minimum": 0}
TEXTS = {"type": "object", "additionalProperties": TEXT}
# What of KubeRay's and Kubernetes' types is used here: ray-operator/apis/ray/v1/{rayjob,raycluster}_types.go of
# ray-project/kuberay, and core/v1 of Kubernetes. A quantity that is not a string is refused: 0.5 would be a float.
CONTAINER = of(
    ["name", "image", "resources"],
    name={"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
    image=TEXT,
    env={"type": "array", "items": of(["name", "value"], name=TEXT, value=TEXT)},
    ports={
        "type": "array",
        "items": of(["containerPort"], containerPort=WHOLE, name={"type": "string", "maxLength": 15}),
    },
    resources=of(["requests", "limits"], requests=TEXTS, limits=TEXTS),
    volumeMounts={
        "type": "array",
        "items": of(["name", "mountPath"], name=TEXT, mountPath=TEXT, readOnly={"type": "boolean"}),
    },
)
VOLUME = of(["name", "persistentVolumeClaim"], name=TEXT, persistentVolumeClaim=of(["claimName"], claimName=TEXT))
TEMPLATE = of(
    ["spec"],
    spec=of(
        ["containers"],
        containers={"type": "array", "items": CONTAINER, "minItems": 1},
        volumes={"type": "array", "items": VOLUME},
    ),
)
WORKERS = of(
    ["groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"],
    groupName=TEXT,
    replicas=WHOLE,
    minReplicas=WHOLE,
    maxReplicas=WHOLE,
    rayStartParams=TEXTS,
    template=TEMPLATE,
)
RAY_CLUSTER = of(
    ["headGroupSpec"],
    rayVersion=TEXT,
    authOptions=of(["mode"], mode={"enum": ["token", "disabled"]}),
    headGroupSpec=of(["rayStartParams", "template"], rayStartParams=TEXTS, template=TEMPLATE),
    workerGroupSpecs={"type": "array", "items": WORKERS},
)
RAY_JOB = of(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=of(["name"], name={"type": "string", "maxLength": 47}),
    spec=of(
        ["entrypoint", "rayClusterSpec"],
        entrypoint=TEXT,
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode"]},
        backoffLimit=WHOLE,
        shutdownAfterJobFinishes={"type": "boolean"},
        ttlSecondsAfterFinished=WHOLE,
        rayClusterSpec=RAY_CLUSTER,
    ),
)

GROUP = {"groupVersion": "ray.io/v1", "version": "v1"}
BATCH = {"groupVersion": "batch/v1", "version": "v1"}
# A kubectl of 1.25 or newer asks here whether the server itself checks fields, as this one does.
CHECKS_FIELDS = {
    "parameters": [{"name": "fieldValidation", "in": "query", "schema": TEXT}],
    "responses": {},
    "x-kubernetes-group-version-kind": {"group": "ray.io", "version": "v1", "kind": "RayJob"},
}


def resources(group, **kinds):
    """What a group of the API has, kinds by their names."""
    listed = [
        {
            "name": name,
            "singularName": kind.lower(),
            "namespaced": True,
            "kind": kind,
            "verbs": ["create", "get", "list"],
        }
        for name, kind in kinds.items()
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": listed}


ANSWERS = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": resources("v1", pods="Pod"),
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [
            {"name": name, "versions": [group], "preferredVersion": group}
            for name, group in (("ray.io", GROUP), ("batch", BATCH))
        ],
    },
    "/apis/ray.io/v1": resources("ray.io/v1", rayjobs="RayJob"),
    "/apis/batch/v1": resources("batch/v1", jobs="Job"),
    "/openapi/v3": {"paths": {"apis/ray.io/v1": {"serverRelativeURL": "/openapi/v3/apis/ray.io/v1"}}},
    "/openapi/v3/apis/ray.io/v1": {
        "openapi": "3.0.0",
        "info": {"title": "RayJobs", "version": "v1"},
        "paths": {"/apis/ray.io/v1/namespaces/{namespace}/rayjobs/{name}": {"patch": CHECKS_FIELDS}},
    },
}
JOBS = "/apis/ray.io/v1/namespaces/default/rayjobs"
PODS = "/api/v1/namespaces/default/pods"


def batch_job(name):
    """The Job of a RayJob, as far as kubectl looks at it."""
    spec = {"selector": {"matchLabels": {"job-name": name}}}
    return {"kind": "Job", "apiVersion": "batch/v1", "metadata": named(name), "spec": spec}


def pod(name):
    """The pod of a RayJob's Job, as far as kubectl looks at it."""
    spec = {"containers": [{"name": "ray-job-submitter"}]}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": named(f"{name}-0"), "spec": spec}


def named(name):
    return {"name": name, "namespace": "default"}


class Handler(BaseHTTPRequestHandler):
    """Answers what kubectl asks before it creates a RayJob, and keeps the RayJob in ``server.applied``."""

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path == "/openapi/v2":  # what an older kubectl asks: an empty message of protobuf, which describes no kind
            self.answer(200, b"", "application/octet-stream")
        elif path in ANSWERS:
            self.answer(200, ANSWERS[path])
        elif path in (found := self.found()):
            self.answer(200, found[path])
        else:
            self.refuse(404, "NotFound", path)

    def found(self):
        """What there is of the RayJobs that were applied: themselves, their Jobs, the pods and what these print."""
        found = {PODS: {"kind": "PodList", "apiVersion": "v1", "items": list(map(pod, self.server.applied))}}
        for name, job in self.server.applied.items():
            found[f"{JOBS}/{name}"] = job
            found[f"/apis/batch/v1/namespaces/default/jobs/{name}"] = batch_job(name)
            found[f"{PODS}/{name}-0"] = pod(name)
            found[f"{PODS}/{name}-0/log"] = job["spec"]["entrypoint"].encode()
        return found

    def do_POST(self):
        job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        added = {"annotations", "namespace"}  # by kubectl
        written = {name: value for name, value in job["metadata"].items() if name not in added}
        try:
            jsonschema.validate({**job, "metadata": written}, RAY_JOB)
        except jsonschema.ValidationError as error:
            self.refuse(422, "Invalid", error.message)
        else:
            self.server.applied[written["name"]] = job
            self.answer(201, job)

    def refuse(self, code, reason, message):
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
        self.answer(code, {**status, "code": code, "reason": reason, "message": message})

    def answer(self, code, content, kind="application/json"):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Print nothing."""


@dataclass(frozen=True)
class Kubernetes:
    """Where a file is applied.

    Attributes:
        server: The address of its server.
        environment: Variables with which kubectl finds it.
        applied: The RayJobs that were applied, by name.
    """

    server: str
    environment: dict[str, str]
    applied: dict[str, dict]

    def kubectl(self, *words):
        """Run kubectl; return its exit code and what it printed."""
        if shutil.which("kubectl") is None:
            assert not os.environ.get("CI"), "CI needs kubectl: apt install kubernetes-client"
            return self._stand_in(*words)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        environment = {**os.environ, **self.environment}
        done = subprocess.run(["kubectl", *words], cwd=ROOT, env=environment, timeout=60, check=False, **pipes)
        return done.returncode, done.stdout

    def _stand_in(self, command, _, what):
        """Do what kubectl does in the end: send the file of ``apply -f``, ask for the output of ``logs -f``."""
        if command == "apply":
            job = json.dumps(yaml.safe_load((ROOT / what).read_text())).encode()
            asked = urllib.request.Request(f"{self.server}{JOBS}", data=job)
        else:
            asked = f"{self.server}{PODS}/{what.removeprefix('job/')}-0/log"
        try:
            with urllib.request.urlopen(asked) as answer:
                return 0, answer.read().decode()
        except urllib.error.HTTPError as error:
            return 1, error.read().decode()


@contextlib.contextmanager
def started_kubernetes(folder):
    """Give a :class:`Kubernetes`; the folder keeps what kubectl reads."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.applied = {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    found = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": address}}],
        "users": [{"name": "test", "user": {}}],
    }
    (folder / "kubeconfig").write_text(json.dumps(found))
    try:
        yield Kubernetes(address, {"KUBECONFIG": str(folder / "kubeconfig"), "HOME": str(folder)}, server.applied)
    finally:
        server.shutdown()
        server.server_close()
