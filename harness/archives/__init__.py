"""NATS-Bench archives: reads them without trusting them, and writes archives that NATS-Bench's own API reads."""

from harness.archives.archive import Archive, open_archive
from harness.archives.naming import META_FILE, source_name
from harness.archives.record import Record
from harness.archives.trial import Recorded, Trial, TrialKey
from harness.archives.writer import NewTrial, record_dict, trial_dict, write_meta, write_record

__all__ = [
    "META_FILE",
    "Archive",
    "NewTrial",
    "Record",
    "Recorded",
    "Trial",
    "TrialKey",
    "open_archive",
    "record_dict",
    "source_name",
    "trial_dict",
    "write_meta",
    "write_record",
]
