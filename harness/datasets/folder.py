"""Where the user keeps the files of data sets, as they were released."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The folder below which data sets lie, each in the folder that its release unpacks to.

    Attributes:
        root: The folder; None where none was given.
        released_only: Whether files that differ from the public release are refused.
    """

    root: Path | None = None
    released_only: bool = True

    def find(self, dataset: str, candidates: tuple[str, ...], source: str) -> Path:
        """Return the first of some files or folders that is there.

        Args:
            dataset: What is looked for, for the message.
            candidates: Paths below the root.
            source: Where a user gets it, such as the address of the download.

        Raises:
            DataError: No folder was given, or it holds none of them; the message says where one gets it.
        """
        listed = " or ".join(candidates)
        if self.root is None:
            raise DataError(
                f"{dataset}: say where its files are with data_root=FOLDER, a folder with {listed}; {source}"
            )
        if not self.root.is_dir():
            raise DataError(f"{dataset}: data_root={self.root} is no folder; it should hold {listed}; {source}")
        for candidate in candidates:
            if (self.root / candidate).exists():
                return self.root / candidate
        raise DataError(f"{dataset}: looked for {listed} in data_root={self.root}, none is there; {source}")

    def read(self, path: Path, md5: str | None = None, size: int | None = None) -> bytes:
        """Return the content of a file, checked against the public release.

        Args:
            path: The file.
            md5: MD5 of the released file; None where it is not known.
            size: Its size in bytes; None where any will do.

        Raises:
            DataError: The file is missing or cannot be read, has another size, or is not the released one.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error}; is the download unpacked completely?") from error
        if size is not None and len(content) != size:
            raise DataError(f"{path}: expected {size:,} bytes, got {len(content):,}; fetch the file again")
        if md5 is not None:
            self.check_release(path, md5, hashlib.md5(content, usedforsecurity=False).hexdigest(), "MD5")
        return content

    def check_release(self, path: Path, released: str, found: str, what: str) -> None:
        """Refuse a file whose hash is not that of the public release, unless others are allowed.

        Args:
            path: The file.
            released: The hash of the release.
            found: The hash of what was found.
            what: What is hashed and how, for the message.

        Raises:
            DataError: The hashes differ and only released files are allowed.
        """
        if self.released_only and found != released:
            raise DataError(
                f"{path}: expected the public release with {what} {released}, got {found}; fetch the file again, or "
                "say released_only=false to use a variant of your own (its rows have fingerprints of their own)"
            )
