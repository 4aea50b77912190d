"""The columns of the store as data: name, Arrow type, unit, meaning; writer, reader and docs follow this list.

Adding a column keeps the version (readers take absent columns as null). Renaming one, removing one or changing what
one means raises :data:`SCHEMA_VERSION`, and stores of another version are refused.
"""

from dataclasses import dataclass

import pyarrow as pa

from harness.metrics import MEASUREMENTS, REPLICATES_FAMILY
from harness.store.published import PUBLISHED_COLUMNS

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its name, Arrow type, unit (empty if none) and meaning."""

    name: str
    type: pa.DataType
    unit: str
    meaning: str


MODEL_KEY = (
    Column("source", pa.string(), "", "archive that holds the network"),
    Column("space", pa.string(), "", "search space: tss or sss"),
    Column("arch_index", pa.int32(), "", "index of the architecture in its space"),
    Column("dataset", pa.string(), "", "data set that the network was trained on"),
    Column("hp", pa.string(), "", "training budget key of the archive"),
    Column("seed", pa.int32(), "", "training seed"),
)
UNIT_KEY = (
    *MODEL_KEY,
    Column("protocol", pa.string(), "", "evaluation protocol: clean or paper"),
    Column("condition", pa.string(), "", "image set: unshifted, a corruption, an OoD set or an attack"),
    Column("severity", pa.int8(), "", "strength of the condition, 0 where it has none"),
)
VARIANT_KEY = (
    Column("split", pa.string(), "", "how images are parted into fit and evaluation parts"),
    Column("split_seed", pa.int32(), "", "seed of the split, 0 where it has none"),
    Column("label_set", pa.string(), "", "labels: original, errors_removed or errors_relabelled"),
    Column("calibrator", pa.string(), "", "post-hoc calibrator; none = before calibration (pre), temperature = post"),
)
ROW_KEY = (*UNIT_KEY, *VARIANT_KEY)

GATE_COLUMNS = (
    Column("recorded_accuracy", pa.float64(), "fraction", "accuracy on the test images that the archive recorded"),
    Column("recomputed_accuracy", pa.float64(), "fraction", "accuracy of the clean inference on all test images"),
    Column("recorded_loss", pa.float64(), "nats", "cross-entropy on the test images that the archive recorded"),
    Column("recomputed_loss", pa.float64(), "nats", "cross-entropy of the clean inference on all test images"),
    Column("gate", pa.string(), "", "accuracy gate: pass, warn, fail; unrecorded where the archive has no reference"),
    Column("test_set", pa.string(), "", "hash of the test images, labels and constants of the accuracy gate"),
    Column("weights_hash", pa.string(), "", "SHA-256 of the network's weights"),
)

HOW_COLUMNS = (
    Column("device", pa.string(), "", "device of the inference"),
    Column("network_form", pa.string(), "", "fast, or plain where the fast form did not agree with the network"),
    Column("batch_size", pa.int32(), "images", "images in a forward pass; fewer where the memory did not suffice"),
)
_REASONS = pa.map_(pa.string(), pa.string())
_OWN = pa.map_(pa.string(), pa.float64())

MEASUREMENT_COLUMNS = (
    *ROW_KEY,
    Column("n_samples", pa.int32(), "images", "images that were scored; without labels, those of the test set"),
    Column("n_shifted", pa.int32(), "images", "images of the condition that were told from them; null if unshifted"),
    *(Column(m.name, pa.float64(), m.unit, f"{m.definition}; {m.formula}") for m in MEASUREMENTS),
    *(Column(m.name, pa.list_(pa.float64()), m.unit, m.definition) for m in REPLICATES_FAMILY.measurements),
    Column("own", _OWN, "", "values of the user's own families, by measurement"),
    Column("reasons", _REASONS, "", "why a value of this row is null or at a bound, by column"),
    Column("temperature", pa.float64(), "", "fitted temperature; null for other calibrators"),
    *GATE_COLUMNS,
    Column("bin15_count", pa.list_(pa.int32()), "images", "images in each of 15 equal-width confidence bins"),
    Column("bin15_confidence", pa.list_(pa.float64()), "fraction", "mean confidence in each bin; null where empty"),
    Column("bin15_accuracy", pa.list_(pa.float64()), "fraction", "accuracy in each bin; null where empty"),
    Column("families", pa.list_(pa.string()), "", "families measured, with versions, such as study@1"),
    Column("fingerprint", pa.string(), "", "hash of what determines the row's numbers, families apart"),
    Column("run_id", pa.string(), "", "run that wrote the row"),
    Column("precision", pa.string(), "", "precision of the inference, and of the stored logits where it is lower"),
    *HOW_COLUMNS,
    Column("seconds", pa.float64(), "s", "time spent on the unit"),
)
COMPUTED_COLUMNS = ("origin", "filename")
"""Columns that views add to those that rows are written with."""

FAILURE_COLUMNS = (
    *UNIT_KEY,
    Column("fingerprint", pa.string(), "", "fingerprint of the unit's wanted rows and families together"),
    Column("row_fingerprints", pa.list_(pa.string()), "", "fingerprints of those rows"),
    Column("families", pa.list_(pa.string()), "", "families that were wanted in them, with versions"),
    Column("kind", pa.string(), "", "failed, or absent where the archive does not hold the model"),
    Column("stage", pa.string(), "", "archive, weights, data, logits, inference, calibration, measurement or worker"),
    Column("type", pa.string(), "", "name of the exception"),
    Column("message", pa.string(), "", "its message"),
    Column("traceback", pa.string(), "", "its traceback"),
    Column("run_id", pa.string(), "", "run that wrote the row"),
    Column("attempt", pa.int32(), "", "1 for the first attempt"),
)
RUN_COLUMNS = (
    Column("run_id", pa.string(), "", "name of the run: UTC time of its start and a random part"),
    Column("command", pa.string(), "", "run, retry or measure"),
    Column("started_at", pa.string(), "", "UTC, ISO 8601"),
    Column("config", pa.string(), "", "resolved configuration, JSON"),
    Column("versions", pa.string(), "", "versions of Python and of the packages that decide numbers, JSON"),
    Column("git_commit", pa.string(), "", "commit of the checkout; null outside one"),
    Column("git_dirty", pa.bool_(), "", "whether tracked files differed from that commit"),
    Column("hardware", pa.string(), "", "host, cores, memory and devices of the driver, JSON"),
)
LOGITS_COLUMNS = (
    *MODEL_KEY,
    Column("condition", pa.string(), "", "image set: unshifted, a corruption, an OoD set or an attack"),
    Column("severity", pa.int8(), "", "strength of the condition, 0 where it has none"),
    Column("images_hash", pa.string(), "", "SHA-256 of the images that were shown; their labels are in `labels`"),
    Column("normalisation", pa.string(), "", "constants with which they were shown, JSON: means, standard deviations"),
    Column("precision", pa.string(), "", "precision of the inference"),
    Column("stored_as", pa.string(), "", "type of the stored numbers: float32 or float16, little-endian"),
    Column("n_images", pa.int32(), "images", "images that were shown: rows of the matrix"),
    Column("n_classes", pa.int32(), "", "classes: columns of the matrix"),
    *GATE_COLUMNS,
    Column("first_seed", pa.int32(), "", "the seed that the archive's record lists first for data set and budget"),
    Column("run_id", pa.string(), "", "run that wrote the row"),
    *HOW_COLUMNS,
    Column("logits", pa.binary(), "", "the matrix, row by row"),
    Column("digest", pa.string(), "", "SHA-256 of all other columns of the row"),
)
LOGITS_IDENTITY = (
    *(column.name for column in MODEL_KEY),
    *("condition", "severity", "images_hash", "normalisation", "precision", "stored_as", "test_set", "weights_hash"),
)
"""What tells stored inferences apart."""

LABELS_COLUMNS = (
    Column("dataset", pa.string(), "", "data set that the networks were trained on"),
    Column("condition", pa.string(), "", "image set: unshifted, a corruption, an OoD set or an attack"),
    Column("severity", pa.int8(), "", "strength of the condition, 0 where it has none"),
    Column("test_set", pa.string(), "", "hash of the data set's test images, labels and constants"),
    Column("images_hash", pa.string(), "", "SHA-256 of the images"),
    Column("labels_hash", pa.string(), "", "SHA-256 of the labels; null where there are none"),
    Column("name", pa.string(), "", "name of the image set in messages"),
    Column("labels", pa.list_(pa.int64()), "", "class of each image; null where they show none of the classes"),
    Column("n_classes", pa.int32(), "", "classes; null but for test sets, as are the constants"),
    Column("normalisation", pa.string(), "", "constants of the training, JSON: means, standard deviations"),
    Column("published", pa.string(), "", "constants of the published study, JSON, where they are others"),
)

_IMPORT_COLUMNS = (
    Column("origin", pa.string(), "", "name under which the table was imported"),
    Column("file", pa.string(), "", "name of the file that held the row"),
    Column("digest", pa.string(), "", "SHA-256 of the text of that file"),
    Column("row", pa.int32(), "", "row of that file, its header being row 1; null where it has no rows"),
    Column("space", pa.string(), "", "search space: tss or sss"),
    Column("dataset", pa.string(), "", "data set that the network was trained on"),
    Column("arch_index", pa.int32(), "", "index of the architecture in its space"),
    Column("copied_from", pa.int32(), "", "isomorphic architecture whose numbers the row repeats; null if its own"),
)
PUBLISHED_ROW_COLUMNS = (
    *_IMPORT_COLUMNS,
    Column("arch", pa.string(), "", "string of the architecture, of copied rows that of the copied one"),
    *(Column(c.name, pa.float64(), c.unit, c.meaning) for c in PUBLISHED_COLUMNS),
)
ROBUSTNESS_COLUMNS = (
    *_IMPORT_COLUMNS,
    Column("condition", pa.string(), "", "unshifted, a corruption, or an attack: fgsm, pgd, apgd_ce, square"),
    Column("strength", pa.float64(), "", "severity of a corruption, bound of an attack in 1/255, 0 if unshifted"),
    Column("acc", pa.float64(), "fraction", "accuracy"),
)
IMPORT_IDENTITY = ("origin", "space", "dataset", "digest")
"""What tells the files from which rows were imported apart."""


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of file of the store: its folder and its columns."""

    folder: str
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """The explicit Arrow schema of its files, with the schema version as metadata."""
        fields = [pa.field(c.name, c.type) for c in self.columns]
        return pa.schema(fields, metadata={"harness_schema_version": str(SCHEMA_VERSION)})


MEASUREMENT_TABLE = Table("measurements", MEASUREMENT_COLUMNS)
FAILURE_TABLE = Table("failures", FAILURE_COLUMNS)
RUN_TABLE = Table("runs", RUN_COLUMNS)
LOGITS_TABLE = Table("logits", LOGITS_COLUMNS)
LABELS_TABLE = Table("labels", LABELS_COLUMNS)
PUBLISHED_TABLE = Table("published", PUBLISHED_ROW_COLUMNS)
ROBUSTNESS_TABLE = Table("robustness", ROBUSTNESS_COLUMNS)
IMPORT_TABLES = (PUBLISHED_TABLE, ROBUSTNESS_TABLE)
"""Tables of other people's numbers, which no view of measurements shows."""
TABLES = (MEASUREMENT_TABLE, FAILURE_TABLE, RUN_TABLE, LOGITS_TABLE, LABELS_TABLE, *IMPORT_TABLES)


def is_column(name: str) -> bool:
    """Return whether rows of measurements have a column of that name; SQL does not tell case."""
    return name.lower() in {*(column.name.lower() for column in MEASUREMENT_COLUMNS), *COMPUTED_COLUMNS}


def key_names(columns: tuple[Column, ...]) -> tuple[str, ...]:
    """Return the names of some columns."""
    return tuple(column.name for column in columns)
