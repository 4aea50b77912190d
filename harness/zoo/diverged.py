"""Notes of trainings that diverged: a small file per architecture in the folder ``diverged`` of the archive.

With the same recipe on the same kind of processor they would diverge again, so they are not tried again unasked.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.atomic import write_data
from harness.errors import DataError

DIVERGED_FOLDER = "diverged"


@dataclass(frozen=True, slots=True)
class DivergedNote:
    """What diverged of an architecture.

    Attributes:
        space: Search space.
        arch_index: Index of the architecture.
        arch_str: Its string.
        reasons: Why a training counts as diverged, by its seed.
        trained: The seeds with which the architecture was trained and stands in the archive.
    """

    space: str
    arch_index: int
    arch_str: str
    reasons: Mapping[int, str]
    trained: tuple[int, ...]


def note_path(folder: Path, arch_index: int) -> Path:
    """Return the file of the note of an architecture in an archive."""
    return folder / DIVERGED_FOLDER / f"{arch_index:06d}.json"


def write_note(folder: Path, note: DivergedNote) -> None:
    """Write a note, in place of an earlier one.

    Raises:
        DataError: It cannot be written.
    """
    write_data(note_path(folder, note.arch_index), (json.dumps(asdict(note), indent=2) + "\n").encode())


def remove_note(folder: Path, arch_index: int) -> None:
    """Remove the note of an architecture, if there is one."""
    note_path(folder, arch_index).unlink(missing_ok=True)


def read_notes(folder: Path) -> dict[int, DivergedNote]:
    """Return the notes of an archive by the index of their architectures, ascending.

    Raises:
        DataError: One cannot be read, or is something else.
    """
    notes = [_read(path) for path in sorted((folder / DIVERGED_FOLDER).glob("*.json"))]
    return {note.arch_index: note for note in notes}


def _read(path: Path) -> DivergedNote:
    try:
        values = json.loads(path.read_bytes())
        reasons = {int(seed): str(reason) for seed, reason in values["reasons"].items()}
        trained = tuple(map(int, values["trained"]))
        note = DivergedNote(values["space"], int(values["arch_index"]), values["arch_str"], reasons, trained)
        if path != note_path(path.parents[1], note.arch_index):
            raise ValueError(f"it is of architecture {note.arch_index}")
        return note
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: expected the note of a training that diverged ({error}); remove it, and that is tried again"
        ) from error
