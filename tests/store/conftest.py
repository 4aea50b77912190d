"""An object store that really answers over HTTP, behind a proxy that can fail, delay and hold what passes."""

import json
import re
import socketserver
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from socket import SHUT_WR, create_connection
from urllib.parse import urlsplit

import pytest

from tests.clusters.bucket import client_of, environment_of, started_s3

BUCKET = "results"
REFUSAL = b"<?xml version='1.0'?><Error><Code>InternalError</Code><Message>injected by the test</Message></Error>"
HELD_AFTER = 20_000  # bytes of a body: past the head of an upload, far from its end


@dataclass
class Rule:
    """What befalls the requests that match, the first ``times`` of them: an error, a delay, or being held for good."""

    matches: re.Pattern[str]
    times: float = float("inf")
    fails: bool = False
    delay_s: float = 0.0
    holds: bool = False
    met: threading.Event = field(default_factory=threading.Event)
    count: int = 0

    def applies(self, request):
        if self.count >= self.times or not self.matches.match(request):
            return False
        self.count += 1
        return True


class Proxy(socketserver.ThreadingTCPServer):
    """A proxy that parses no more than the first line and forwards bytes as they come, a request per connection."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, upstream: str):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = urlsplit(upstream)
        self.requests: list[str] = []
        self.rules: list[Rule] = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, pattern, **what):
        rule = Rule(re.compile(pattern), **what)
        self.rules.append(rule)
        return rule

    def fail(self, pattern, times=float("inf")):
        return self.add(pattern, fails=True, times=times)

    def delay(self, pattern, delay_s, times=float("inf")):
        return self.add(pattern, delay_s=delay_s, times=times)

    def hold(self, pattern, times=1):
        return self.add(pattern, holds=True, times=times)


class Handler(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self):
        first = self.rfile.readline()
        if not first:
            return
        request = first.decode().rsplit(" ", 1)[0]
        self.server.requests.append(request)
        head = [line for line in iter(self.rfile.readline, b"\r\n") if not line.lower().startswith(b"connection:")]
        rule = next((rule for rule in self.server.rules if rule.applies(request)), None)
        if rule is not None and rule.fails:
            self._refuse()
            return
        if rule is not None and rule.delay_s:
            rule.met.set()
            time.sleep(rule.delay_s)
        self._forward(b"".join([first, *head, b"Connection: close\r\n\r\n"]), rule)

    def _refuse(self):
        length = str(len(REFUSAL)).encode()
        self.wfile.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/xml\r\n")
        self.wfile.write(b"Connection: close\r\nContent-Length: " + length + b"\r\n\r\n" + REFUSAL)
        self._drain()

    def _drain(self):
        """Read what the client still sends: a connection closed before would take the answer with it."""
        self.request.shutdown(SHUT_WR)
        while self.rfile.read1():
            pass

    def _forward(self, head, rule):
        with create_connection((self.server.upstream.hostname, self.server.upstream.port)) as upstream:
            upstream.sendall(head)
            back = threading.Thread(target=pump, args=(lambda: upstream.recv(65536), self._answer), daemon=True)
            back.start()
            sent = 0
            while data := self.rfile.read1():
                upstream.sendall(data)
                sent += len(data)
                if rule is not None and rule.holds and sent > HELD_AFTER:
                    rule.met.set()
                    while self.rfile.read1():
                        pass
                    return
            back.join()

    def _answer(self, data):
        self.wfile.write(data)
        if not data:
            self.request.shutdown(SHUT_WR)


def pump(read, write):
    """Pass bytes on until there are no more, or whoever should get them is gone."""
    try:
        while data := read():
            write(data)
        write(b"")
    except OSError:
        return


@dataclass
class ObjectStore:
    """A bucket, as the harness reaches it (through the proxy) and as it is (through another client, beside it)."""

    proxy: Proxy
    client: object
    uri: str

    def objects(self):
        found = self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return sorted(entry["Key"] for entry in found)

    def uploads(self):
        return self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])

    def read(self, key):
        return self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def write(self, key, content):
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)


@pytest.fixture(scope="module")
def s3_server():
    """The URL of an S3 server."""
    with started_s3() as url:
        yield url


@pytest.fixture
def user(s3, s3_server):
    """Make a user who may do some actions in the bucket, or none; from then on the server asks for rights."""

    def make(actions):
        iam = client_of(s3_server, "iam")
        name = "-".join(["user", *(action.split(":")[1] for action in actions or ())])
        iam.create_user(UserName=name)
        if actions is not None:
            resources = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
            statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            iam.put_user_policy(UserName=name, PolicyName="some", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        ask_for_rights(s3_server, "0")
        return key

    yield make
    ask_for_rights(s3_server, "inf")


def ask_for_rights(server, free_actions):
    """Say after how many more actions moto checks keys and policies."""
    request = urllib.request.Request(
        f"{server}/moto-api/reset-auth", free_actions.encode(), {"Content-Type": "text/plain"}
    )
    urllib.request.urlopen(request).close()


@pytest.fixture
def s3(s3_server, monkeypatch):
    """A bucket of its own for every test; the environment points to it."""
    client = client_of(s3_server)
    client.create_bucket(Bucket=BUCKET)
    with Proxy(s3_server) as proxy:
        for name, value in environment_of(proxy.url).items():
            monkeypatch.setenv(name, value)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield ObjectStore(proxy, client, f"s3://{BUCKET}/store")
        proxy.shutdown()
    for key in [entry["Key"] for entry in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]:
        client.delete_object(Bucket=BUCKET, Key=key)
    client.delete_bucket(Bucket=BUCKET)
