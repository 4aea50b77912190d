"""What commands of the pages reach for: a bucket, a Ray that is there, a Kubernetes, a harness that notes its steps.

Each is started when it is first asked for, and ends with the session.
"""

import json
import sys
from functools import cached_property

from tests.clusters.bucket import client_of, environment_of, started_s3
from tests.clusters.job_server import started_job_server
from tests.clusters.kubernetes import started_kubernetes
from tests.clusters.recipes import place_beside_ray


class Elsewhere:
    """Starts what is asked for.

    Args:
        folder: An empty folder of its own.
        ends: An ``ExitStack`` that ends what was started.
    """

    def __init__(self, folder, ends):
        self._folder, self._ends, self._noted = folder, ends, folder / "noted"

    @cached_property
    def bucket(self):
        """The environment in which ``s3://bucket`` is there."""
        url = self._ends.enter_context(started_s3())
        client_of(url).create_bucket(Bucket="bucket")
        return environment_of(url)

    @cached_property
    def job_server(self):
        """A Ray with its job server, whose jobs have the harness that notes its steps."""
        return self._ends.enter_context(started_job_server(HARNESS=self.harness))

    @cached_property
    def kubernetes(self):
        """What of a Kubernetes answers kubectl."""
        return self._ends.enter_context(started_kubernetes(self._folder))

    @cached_property
    def harness(self):
        """The path of a program that does nothing but print and note the words of every call."""
        note = f"print(*sys.argv[1:])\nopen({str(self._noted)!r}, 'a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
        return place_beside_ray(self._folder / "bin", f"#!{sys.executable}\nimport json, sys\n{note}")

    def take_steps(self):
        """The words of the calls since this was asked before."""
        if not self._noted.exists():
            return []
        steps = list(map(json.loads, self._noted.read_text().splitlines()))
        self._noted.unlink()
        return steps
