"""The columns of the store as data: name, Arrow type, unit, meaning; writer, reader and docs follow this list.

Adding a column keeps the version (readers take absent columns as null). Renaming one, removing one or changing what
one means raises :data:`SCHEMA_VERSION`, and stores of another version are refused.
"""

from dataclasses import dataclass

import pyarrow as pa

from harness.metrics import MEASUREMENTS

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
    Column("split_seed", pa.int32(), "", "seed of the split"),
    Column("label_set", pa.string(), "", "labels: original or a corrected set"),
    Column("calibrator", pa.string(), "", "post-hoc calibrator; none = before calibration (pre), temperature = post"),
)
ROW_KEY = (*UNIT_KEY, *VARIANT_KEY)

_REASONS = pa.map_(pa.string(), pa.string())

MEASUREMENT_COLUMNS = (
    *ROW_KEY,
    Column("n_samples", pa.int32(), "images", "images that were scored; without labels, those of the test set"),
    Column("n_shifted", pa.int32(), "images", "images of the condition that were told from them; null if unshifted"),
    *(Column(m.name, pa.float64(), m.unit, m.definition) for m in MEASUREMENTS),
    Column("reasons", _REASONS, "", "why a value of this row is null or at a bound, by column"),
    Column("temperature", pa.float64(), "", "fitted temperature; null for other calibrators"),
    Column("recorded_accuracy", pa.float64(), "fraction", "accuracy on the test images that the archive recorded"),
    Column("recomputed_accuracy", pa.float64(), "fraction", "accuracy of the clean inference on all test images"),
    Column("recorded_loss", pa.float64(), "nats", "cross-entropy on the test images that the archive recorded"),
    Column("recomputed_loss", pa.float64(), "nats", "cross-entropy of the clean inference on all test images"),
    Column("gate", pa.string(), "", "accuracy gate: pass, warn, fail; unrecorded where the archive has no reference"),
    Column("test_set", pa.string(), "", "hash of the test images, labels and constants of the accuracy gate"),
    Column("weights_hash", pa.string(), "", "SHA-256 of the network's weights"),
    Column("bin15_count", pa.list_(pa.int32()), "images", "images in each of 15 equal-width confidence bins"),
    Column("bin15_confidence", pa.list_(pa.float64()), "fraction", "mean confidence in each bin; null where empty"),
    Column("bin15_accuracy", pa.list_(pa.float64()), "fraction", "accuracy in each bin; null where empty"),
    Column("families", pa.list_(pa.string()), "", "families measured, with versions, such as study@1"),
    Column("fingerprint", pa.string(), "", "hash of what determines the row's numbers, families apart"),
    Column("run_id", pa.string(), "", "run that wrote the row"),
    Column("device", pa.string(), "", "device of the inference"),
    Column("precision", pa.string(), "", "precision of the inference"),
    Column("seconds", pa.float64(), "s", "time spent on the unit"),
)
FAILURE_COLUMNS = (
    *UNIT_KEY,
    Column("fingerprint", pa.string(), "", "fingerprint of the unit's wanted rows together"),
    Column("row_fingerprints", pa.list_(pa.string()), "", "fingerprints of those rows"),
    Column("kind", pa.string(), "", "failed, or absent where the archive does not hold the model"),
    Column("stage", pa.string(), "", "archive, weights, data, inference, calibration, measurement or worker"),
    Column("type", pa.string(), "", "name of the exception"),
    Column("message", pa.string(), "", "its message"),
    Column("traceback", pa.string(), "", "its traceback"),
    Column("run_id", pa.string(), "", "run that wrote the row"),
    Column("attempt", pa.int32(), "", "1 for the first attempt"),
)
RUN_COLUMNS = (
    Column("run_id", pa.string(), "", "name of the run: UTC time of its start and a random part"),
    Column("command", pa.string(), "", "run or retry"),
    Column("started_at", pa.string(), "", "UTC, ISO 8601"),
    Column("config", pa.string(), "", "resolved configuration, JSON"),
    Column("versions", pa.string(), "", "versions of Python and of the packages that decide numbers, JSON"),
    Column("git_commit", pa.string(), "", "commit of the checkout; null outside one"),
    Column("git_dirty", pa.bool_(), "", "whether tracked files differed from that commit"),
    Column("hardware", pa.string(), "", "host, cores, memory and devices of the driver, JSON"),
)


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
TABLES = (MEASUREMENT_TABLE, FAILURE_TABLE, RUN_TABLE)


def key_names(columns: tuple[Column, ...]) -> tuple[str, ...]:
    """Return the names of some columns."""
    return tuple(column.name for column in columns)
