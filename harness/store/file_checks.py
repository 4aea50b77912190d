"""What is proved of each file of a store: it holds what was written, and its name and folder say what that is."""

from collections.abc import Generator, Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from harness.store.files import StorePath, readable
from harness.store.schema import SCHEMA_VERSION, Table
from harness.store.seal import is_sealed
from harness.store.writer import DIGEST_KEY, content_digest, content_name
from harness.values import Finding

OTHER_NAME = "the name is not the hash of what the file holds"


def check_whole(path: StorePath, table: Table, remedy: str = "run") -> Generator[Finding, None, bool]:
    """Yield what is wrong with the bytes and the schema of a file; return whether nothing is.

    A file whose seal is broken is not parsed: Parquet readers fail on a damaged footer in any way.

    Args:
        path: The file.
        table: What it is a file of.
        remedy: The command that makes it again.
    """
    if not is_sealed(path.read_bytes()):
        message = f"its bytes are not those that were written: damaged or edited; delete it and {remedy} again"
        yield Finding("bytes", str(path), message)
        return False
    broken = list(_check_schema(path, table))
    yield from broken
    return not broken


def _check_schema(path: StorePath, table: Table) -> Iterator[Finding]:
    source = readable(path)
    try:
        schema = pq.read_schema(source)
    except (OSError, ValueError, pa.ArrowException) as error:  # ValueError: a column's name is no text any more
        yield Finding("bytes", str(path), f"no readable Parquet file, delete it and run again: {error}")
        return
    found = (schema.metadata or {}).get(b"harness_schema_version", b"none").decode()
    if found != str(SCHEMA_VERSION):
        yield Finding("schema", str(path), f"expected schema version {SCHEMA_VERSION}, got {found}")
    types = {column.name: column.type for column in table.columns}
    for field in schema:
        if not field.type.equals(types.get(field.name, field.type)):
            yield Finding("schema", str(path), f"{field.name}: expected {types[field.name]}, got {field.type}")


def check_values(path: StorePath) -> Generator[Finding, None, pa.Table | None]:
    """Yield what is wrong with the values of a whole file; return what it holds, None where it cannot be read."""
    source = readable(path)
    try:
        read = pq.ParquetFile(source, page_checksum_verification=True).read()
    except (OSError, ValueError, pa.ArrowException) as error:
        yield Finding("bytes", str(path), f"a page does not match its checksum; delete it and run again: {error}")
        return None
    if content_digest(read) != (read.schema.metadata or {}).get(DIGEST_KEY):
        yield Finding("content", str(path), "the values are not those that were written; delete it and run again")
    return read


def check_name(path: StorePath, rows: Sequence[Mapping[str, object]], identity: Sequence[str]) -> Iterator[Finding]:
    """Yield a finding if a file has not the name of what it holds, of which some columns tell it from others."""
    if content_name(rows, identity) != path.stem:
        yield Finding("name", str(path), OTHER_NAME)


def check_folder(path: StorePath, rows: Sequence[Mapping[str, object]], partition: Sequence[str]) -> Iterator[Finding]:
    """Yield a finding if a file holds rows of another partition than its folder."""
    folders = dict(part.split("=", 1) for part in path.parts if "=" in part)
    if any(str(row[column]) != folders.get(column) for row in rows for column in partition):
        yield Finding("folder", str(path), "the file holds rows of another partition than its folder")
