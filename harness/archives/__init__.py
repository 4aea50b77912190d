"""NATS-Bench archives: reads, indexes and converts them without trusting them, and writes new ones."""

from harness.archives.archive import Archive, open_archive
from harness.archives.converted import (
    Description,
    Origin,
    read_description,
    read_origin,
    write_converted,
    write_description,
)
from harness.archives.hashing import file_hash, weights_hash
from harness.archives.index import Summary, find_index, pairs_with_weights, record_summary, summary, write_index
from harness.archives.manifest import read_manifest, write_manifest
from harness.archives.naming import DESCRIPTION_FILE, META_FILE, archive_with_weights, logs_only, source_name
from harness.archives.record import Record
from harness.archives.survey import Surveyed, survey_record
from harness.archives.trial import Recorded, Trial, TrialKey
from harness.archives.writer import NewTrial, record_dict, trial_dict, write_meta, write_record

__all__ = [
    "DESCRIPTION_FILE",
    "META_FILE",
    "Archive",
    "Description",
    "NewTrial",
    "Origin",
    "Record",
    "Recorded",
    "Summary",
    "Surveyed",
    "Trial",
    "TrialKey",
    "archive_with_weights",
    "file_hash",
    "find_index",
    "logs_only",
    "open_archive",
    "pairs_with_weights",
    "read_description",
    "read_manifest",
    "read_origin",
    "record_dict",
    "record_summary",
    "source_name",
    "summary",
    "survey_record",
    "trial_dict",
    "weights_hash",
    "write_converted",
    "write_description",
    "write_index",
    "write_manifest",
    "write_meta",
    "write_record",
]
