"""Paths in an object store (S3 and what speaks its protocol), with what the store uses of pathlib's interface.

Where the store is and who we are comes from the environment, as for every S3 client: ``AWS_ENDPOINT_URL``,
``AWS_REGION``, ``AWS_ACCESS_KEY_ID`` and so on. An object is there completely or not at all.
"""

import functools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pyarrow as pa
from pyarrow import fs

from harness.errors import StoreError

SCHEME = "s3://"

_ONE_REQUEST = 8 * 2**20  # bytes; pyarrow puts less than 10 MiB in one request and more in parts of that size
_IO_THREADS = 32  # they wait for answers and cost little


class Patience(NamedTuple):
    """How long an answer is waited for: attempts of a request, seconds to connect, seconds of silence."""

    attempts: int
    connect_s: float
    silence_s: float


FIRST = Patience(attempts=3, connect_s=3.0, silence_s=4.0)
"""At the start, when the user waits: a store that is not there is refused within some 20 seconds."""

LATER = Patience(attempts=8, connect_s=5.0, silence_s=60.0)
"""At work: with its growing pauses it bridges outages of about half a minute; ``AWS_MAX_ATTEMPTS`` says otherwise."""

_REMEDIES = (
    ("NETWORK_CONNECTION", "is AWS_ENDPOINT_URL right and the store reachable from here?"),
    ("NO_SUCH_BUCKET", "make the bucket or give another store=s3://BUCKET/PATH"),
    ("not found", "make the bucket or give another store=s3://BUCKET/PATH"),
    ("INVALID_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws, must name a valid key"),
    ("SIGNATURE", "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID"),
    ("ACCESS_DENIED", "the key must be allowed to list, read, write and delete there: check AWS_ACCESS_KEY_ID, ~/.aws"),
)


@dataclass(frozen=True, order=True, slots=True)
class ObjectPath:
    """The path of an object or of a prefix that ends at a slash, which stands for a folder.

    Attributes:
        inner: Bucket and key.
    """

    inner: PurePosixPath

    @classmethod
    def from_uri(cls, uri: str) -> "ObjectPath":
        """Return the path that ``s3://BUCKET/PATH`` means.

        Raises:
            StoreError: It has no bucket, or holds options or credentials, which belong into the environment.
        """
        inner = uri.removeprefix(SCHEME)
        bucket = inner.split("/", 1)[0]
        if not bucket or set(uri) & set("?#") or "@" in bucket:
            raise StoreError(
                f"expected s3://BUCKET/PATH, got {uri}; endpoint, region and credentials come from the environment "
                "(AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, ...)"
            )
        return cls(PurePosixPath(inner))

    def __str__(self) -> str:
        return f"{SCHEME}{self.inner}"

    def __truediv__(self, name: "str | PurePosixPath") -> "ObjectPath":
        return ObjectPath(self.inner / name)

    @property
    def name(self) -> str:
        """The last part."""
        return self.inner.name

    @property
    def stem(self) -> str:
        """The last part without its suffix."""
        return self.inner.stem

    @property
    def suffix(self) -> str:
        """The suffix of the last part."""
        return self.inner.suffix

    @property
    def parts(self) -> tuple[str, ...]:
        """The bucket and the parts of the key."""
        return self.inner.parts

    @property
    def parent(self) -> "ObjectPath":
        """The folder."""
        return ObjectPath(self.inner.parent)

    def relative_to(self, other: "ObjectPath") -> PurePosixPath:
        """Return the part behind another path."""
        return self.inner.relative_to(other.inner)

    def resolve(self) -> "ObjectPath":
        """Return the path itself: there are no links."""
        return self

    def exists(self) -> bool:
        """Return whether there is such an object, or one below this folder."""
        return self._type() != fs.FileType.NotFound

    def is_file(self) -> bool:
        """Return whether there is such an object."""
        return self._type() == fs.FileType.File

    def is_dir(self) -> bool:
        """Return whether there is an object below this folder, or a marker of it."""
        return self._type() == fs.FileType.Directory

    def _type(self) -> fs.FileType:
        return filesystem(self.parts[0]).get_file_info(str(self.inner)).type

    def infos(self, *, recursive: bool = True) -> list[fs.FileInfo]:
        """Return what the store says of all that is below this folder, in one listing."""
        selector = fs.FileSelector(str(self.inner), allow_not_found=True, recursive=recursive)
        return filesystem(self.parts[0]).get_file_info(selector)

    def iterdir(self) -> Iterator["ObjectPath"]:
        """Yield the objects and folders of this folder."""
        yield from (ObjectPath(PurePosixPath(info.path)) for info in self.infos(recursive=False))

    def glob(self, pattern: str) -> Iterator["ObjectPath"]:
        """Yield the objects and folders of this folder whose names match."""
        yield from (path for path in self.iterdir() if path.inner.match(pattern))

    def rglob(self, pattern: str) -> Iterator["ObjectPath"]:
        """Yield the objects, not the folders, at any depth whose names match."""
        found = (PurePosixPath(info.path) for info in self.infos() if info.type == fs.FileType.File)
        yield from (ObjectPath(path) for path in found if path.match(pattern))

    def open(self) -> pa.NativeFile:
        """Open the object for reading at any place."""
        return filesystem(self.parts[0]).open_input_file(str(self.inner))

    def read_bytes(self) -> bytes:
        """Return the object."""
        with self.open() as file:
            return file.readall()

    def read_text(self) -> str:
        """Return the object as text."""
        return self.read_bytes().decode()

    def write_bytes(self, content: bytes) -> None:
        """Make or replace the object at once: until the last byte has come there is none, or the old one.

        The thread finishes what it began. pyarrow publishes what it has when a stream is given up, so an interrupt
        between opening and writing would leave an object that is empty.

        Raises:
            OSError: It cannot be written.
        """
        with ThreadPoolExecutor(max_workers=1) as pool:
            pool.submit(self._put, content).result()

    def _put(self, content: bytes) -> None:
        # Only a delayed opening puts in one request; with parts it would publish an empty object where no part can be.
        client = filesystem(self.parts[0], delayed=len(content) < _ONE_REQUEST)
        stream = client.open_output_stream(str(self.inner))
        stream.write(content)
        stream.close()

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Remove the object.

        Raises:
            FileNotFoundError: There is none and it was expected.
        """
        try:
            filesystem(self.parts[0]).delete_file(str(self.inner))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def rmdir(self) -> None:
        """Remove the marker that pyarrow leaves of a folder whose last object was removed."""
        if any(self.iterdir()):
            raise OSError(f"{self} is not empty")
        filesystem(self.parts[0]).delete_dir(str(self.inner))


def reach(path: ObjectPath) -> None:
    """See that the bucket answers.

    Raises:
        StoreError: It is not there, not ours to see, or nothing answers.
    """
    bucket = path.parts[0]
    try:
        found = filesystem(bucket, FIRST).get_file_info(bucket).type
    except OSError as error:
        raise StoreError(explained(f"cannot reach the store {path}", error)) from error
    if found == fs.FileType.NotFound:
        raise StoreError(f"no store can be at {path}: there is no bucket {bucket} ({_endpoint() or 'AWS'}); make it")


def explained(what: str, error: OSError) -> str:
    """Return a message of what went wrong and what to do."""
    remedy = next((remedy for sign, remedy in _REMEDIES if sign in str(error)), "run again to resume")
    where = _endpoint()
    return f"{what}{f' at {where}' if where else ''}: {error}; {remedy}"


def key_files() -> dict[str, str]:
    """Return the environment with which processes that have another home folder find our keys for object stores."""
    files = {"AWS_SHARED_CREDENTIALS_FILE": "credentials", "AWS_CONFIG_FILE": "config"}
    return {name: os.environ.get(name, str(Path.home() / ".aws" / file)) for name, file in files.items()}


def filesystem(bucket: str, patience: Patience | None = None, *, delayed: bool = True) -> fs.S3FileSystem:
    """Return this process's connection to the store of a bucket, made at its first use.

    Args:
        bucket: The bucket, which says the region where neither the environment nor an endpoint does.
        patience: How long to wait; None for :data:`LATER`.
        delayed: Whether an object is opened for writing only when its content is complete.
    """
    return _connect(bucket, _endpoint(), _region(), patience or LATER._replace(attempts=_attempts()), delayed)


@functools.cache
def _connect(
    bucket: str, endpoint: str | None, region: str | None, patience: Patience, delayed: bool
) -> fs.S3FileSystem:
    pa.set_io_thread_count(max(pa.io_thread_count(), _IO_THREADS))
    if region is None:
        region = fs.resolve_s3_region(bucket) if endpoint is None else "us-east-1"
    return fs.S3FileSystem(
        endpoint_override=endpoint,
        region=region,
        connect_timeout=patience.connect_s,
        request_timeout=patience.silence_s,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=patience.attempts),
        allow_delayed_open=delayed,
    )


def _attempts() -> int:
    written = os.environ.get("AWS_MAX_ATTEMPTS", str(LATER.attempts))
    if not written.isdecimal() or not int(written):
        raise StoreError(f"AWS_MAX_ATTEMPTS: expected a number of attempts, at least 1, got {written!r}")
    return int(written)


def _endpoint() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def _region() -> str | None:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or None
