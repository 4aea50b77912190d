"""Where the user keeps the files of data sets, as they were released."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import DataError


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The folder below which data sets lie, each in the folder that its release unpacks to.

    Attributes:
        root: The folder; None where none was given.
        released_only: Whether files of images that differ from the public release are refused.
        released_labels_only: Whether splits and corrected labels that differ from theirs are refused.
    """

    root: Path | None = None
    released_only: bool = True
    released_labels_only: bool = True
    _switch: str = "released_only"

    def of_labels(self) -> "DataFolder":
        """Return the folder as splits and corrected labels are read from it: whoever has other images has not others.

        A cut file of them would be sound in itself, and change what is scored without a word.
        """
        return replace(self, released_only=self.released_labels_only, _switch="released_labels_only")

    def find(self, dataset: str, candidates: tuple[str, ...], source: str) -> Path:
        """Return the first of some files or folders that is there.

        Args:
            dataset: What is looked for, for the message.
            candidates: Paths below the root.
            source: Where a user gets it, such as the address of the download.

        Raises:
            DataError: No folder was given, it holds none of them, or this user may not enter it; the message says where
                one gets it.
        """
        listed = " or ".join(candidates)
        if self.root is None:
            raise DataError(
                f"{dataset}: say where its files are with data_root=FOLDER, a folder with {listed}; {source}"
            )
        try:
            if not self.root.is_dir():
                raise DataError(f"{dataset}: data_root={self.root} is no folder; it should hold {listed}; {source}")
            found = [self.root / candidate for candidate in candidates if (self.root / candidate).exists()]
        except OSError as error:
            raise DataError(
                f"{dataset}: looked for {listed} in data_root={self.root}: {error.filename} cannot be reached: "
                f"{error.strerror}; this user needs the right to enter all folders on the way (x)"
            ) from error
        if not found:
            raise DataError(f"{dataset}: looked for {listed} in data_root={self.root}, none is there; {source}")
        return found[0]

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
                f"say {self._switch}=false to use a variant of your own (its rows have fingerprints of their own)"
            )
