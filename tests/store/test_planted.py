"""Violations planted in a store that a real run has made: `verify` finds each and names it."""

import json
import random
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.cli.main import main
from harness.metrics.resampling import N_REPLICATES
from harness.store import StoreRoot
from harness.store.audit import MEASUREMENT_IDENTITY, check_file, check_files, remove_leftovers
from harness.store.live import RunBeat, Sender, beat
from harness.store.schema import MEASUREMENT_TABLE
from harness.store.seal import BLANK, SEAL_KEY, seal
from harness.store.writer import content_name, to_parquet, write_measurements

STUDY = [
    "study.spaces=[tss]", "study.seeds=[777]", "study.conditions=[unshifted,ood_inverted]",
    "study.families=[study,replicates]", "runner.parcel_records=1", "limit=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def sound(overrides, tmp_path_factory):
    """The results of a real run: a file for each of two networks."""
    results = tmp_path_factory.mktemp("sound")
    assert main(["run", *overrides, *STUDY, f"results={results}"]) == 0
    return results


@pytest.fixture
def root(sound, tmp_path):
    """A copy of the sound store, to plant something in."""
    shutil.copytree(sound / "store", tmp_path / "store")
    return StoreRoot.existing(tmp_path / "store")


@pytest.fixture
def verify(overrides, root, capsys):
    """Audit the copy; returns the exit code and what the audit has found, as (check, where and what)."""

    def call(*options):
        capsys.readouterr()
        code = main(["verify", *overrides, *STUDY, f"results={root.path.parent}", *options])
        lines = [line.partition(": ") for line in capsys.readouterr().out.splitlines()]
        known = ("leftovers", "foreign", "bytes", "content", "schema", "name", "folder", "duplicates", "weights",
                 "families", "fingerprints", "gate", "plan")  # fmt: skip
        return code, [(check, what) for check, _, what in lines if check in known]

    return call


def files(root):
    return root.table_files("measurements")


def rows_of(path):
    return pq.ParquetFile(path).read().to_pylist()


def rewrite(root, path, change):
    """Replace a file by one of changed rows that is in order otherwise."""
    rows = [{**row, **change(row)} for row in rows_of(path)]
    path.unlink()
    write_measurements(root, rows, "planted")


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(bytes(content))


def test_the_store_is_sound(verify, root):
    assert len(files(root)) == 2
    assert verify() == (0, [])


def wrong_name(root):
    files(root)[0].rename(files(root)[0].with_name("0" * 32 + ".parquet"))


def flipped_page(root):
    path = files(root)[0]
    flip(path, pq.ParquetFile(path).metadata.row_group(0).column(0).dictionary_page_offset + 40)


def flipped_statistic(root):
    """A bit of the largest value of a column, by which DuckDB decides whether to read the file at all."""
    path = files(root)[0]
    group = pq.ParquetFile(path).metadata.row_group(0)
    (column,) = [group.column(i) for i in range(group.num_columns) if group.column(i).path_in_schema == "fingerprint"]
    flip(path, path.read_bytes().rindex(column.statistics.max.encode()) + 3)


def truncated(root):
    files(root)[0].write_bytes(files(root)[0].read_bytes()[:-1000])


def empty(root):
    files(root)[0].write_bytes(b"")


def foreign(root):
    (files(root)[0].parent / "notes.txt").write_text("mine")


def foreign_parquet(root):
    shutil.copy(files(root)[0], root.path / "measurements" / files(root)[0].name)


def wrong_partition(root):
    folder = root.path / "measurements" / "space=sss" / "dataset=digits" / "protocol=clean"
    folder.mkdir(parents=True)
    files(root)[0].rename(folder / files(root)[0].name)


def mixed_partition(root):
    """A row of another space among those of this one; the file is in order otherwise."""
    path = files(root)[0]
    rows = [row | {"space": "sss"} if i == 0 else row for i, row in enumerate(rows_of(path))]
    path.with_name(f"{content_name(rows, MEASUREMENT_IDENTITY)}.parquet").write_bytes(
        to_parquet(rows, MEASUREMENT_TABLE)
    )
    path.unlink()


def wrong_run(root):
    (path,) = root.table_files("runs")
    path.rename(path.with_name("20200101T000000-abcdef.parquet"))


def flipped_run(root):
    (path,) = root.table_files("runs")
    flip(path, path.stat().st_size // 2)


def old_schema(root):
    path = files(root)[0]
    table = pq.ParquetFile(path).read()
    metadata = {**table.schema.metadata, b"harness_schema_version": b"0", SEAL_KEY: BLANK}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink)
    path.write_bytes(seal(sink.getvalue().to_pybytes()))


def leftover(root):
    files(root)[0].with_name("x.parquet.r1.0.tmp").write_bytes(b"PAR1")


def stale_heartbeat(root):
    beat(root, RunBeat("r1", "run", Sender("node", 7, 0.0, 1.0), 10))


FILE_PLANTS = {
    wrong_name: "name", flipped_page: "bytes", flipped_statistic: "bytes", truncated: "bytes", empty: "bytes",
    foreign: "foreign", foreign_parquet: "folder", wrong_partition: "folder", mixed_partition: "folder",
    wrong_run: "name", flipped_run: "bytes", old_schema: "schema", leftover: "leftovers", stale_heartbeat: "leftovers",
}  # fmt: skip


@pytest.mark.parametrize("plant", FILE_PLANTS, ids=lambda plant: plant.__name__)
def test_what_is_wrong_with_a_file_is_found(root, verify, plant):
    plant(root)
    code, found = verify()
    assert code == 1
    assert [check for check, _ in found] == [FILE_PLANTS[plant]]
    assert str(root.path) in found[0][1]


@pytest.mark.parametrize("seed", range(4))
def test_any_flipped_bit_is_found(root, seed):
    rng, path = random.Random(seed), files(root)[0]
    content = path.read_bytes()
    for _ in range(100):
        position, bit = rng.randrange(len(content)), 1 << rng.randrange(8)
        path.write_bytes(content[:position] + bytes([content[position] ^ bit]) + content[position + 1 :])
        assert [f.check for f in check_file(path, MEASUREMENT_TABLE, MEASUREMENT_IDENTITY)] == ["bytes"], (
            position,
            bit,
        )


def missing_unit(root):
    files(root)[0].unlink()


def unequal_duplicate(root):
    (row, *_) = [row for row in rows_of(files(root)[0]) if row["ECE_15"] is not None]
    write_measurements(root, [row | {"ECE_15": row["ECE_15"] + 0.01}], "planted")


def half_null_duplicate(root):
    (row, *_) = [row for row in rows_of(files(root)[0]) if row["ECE_15"] is not None]
    write_measurements(root, [row | {"ECE_15": None, "reasons": [("ECE_15", "planted")]}], "planted")


def tag_without_values(root):
    rewrite(root, files(root)[0], lambda row: {"families": sorted({*row["families"], "sharpness@1"})})


def value_without_reason(root):
    rewrite(root, files(root)[0], lambda row: {"NLL": None})


def value_without_family(root):
    rewrite(root, files(root)[0], lambda row: {"ood_auroc": 0.5})


def own_value_without_family(root):
    rewrite(root, files(root)[0], lambda row: {"own": [("gap", 0.5)]})


def own_family_without_value(root):
    rewrite(root, files(root)[0], lambda row: {"families": sorted({*row["families"], "gaps@1"})})


def short_replicates(root):
    rewrite(root, files(root)[0], lambda row: {"NLL_replicates": (row["NLL_replicates"] or [0.0] * N_REPLICATES)[1:]})


def lost_bin(root):
    rewrite(root, files(root)[0], lambda row: {"bin15_count": row["bin15_count"] and row["bin15_count"][1:]})


def uncounted_image(root):
    rewrite(root, files(root)[0], lambda row: {"n_samples": row["n_samples"] + 1})


def other_weights(root):
    rewrite(root, files(root)[0], lambda row: {"weights_hash": "0" * 64 if row["calibrator"] == "none" else "1" * 64})


def mixed_fingerprints(root):
    rewrite(root, files(root)[0], lambda row: {"fingerprint": row["fingerprint"][::-1]})


def fingerprint_of_another_calibrator(root):
    (fingerprint, *_) = [row["fingerprint"] for row in rows_of(files(root)[0]) if row["calibrator"] == "temperature"]
    for path in files(root):
        rewrite(root, path, lambda _: {"fingerprint": fingerprint})


ROW_PLANTS = {
    missing_unit: {"plan": "2 planned units are not made yet"},
    unequal_duplicate: {"duplicates": "unequal values"},
    half_null_duplicate: {"duplicates": "null in one of two rows"},
    tag_without_values: {"families": "sharpness@1 without values"},
    value_without_reason: {"families": "study@1 without values: NLL"},
    value_without_family: {"families": "values without their family ood: ood_auroc"},
    own_value_without_family: {"families": "do not go together: gap"},
    own_family_without_value: {"families": "do not go together: own"},
    short_replicates: {"families": f"replicates@2 without lists of {N_REPLICATES} values: NLL_replicates"},
    lost_bin: {"families": "expected 15 bins: bin15_count"},
    uncounted_image: {"families": "the bins do not hold the images that were scored"},
    other_weights: {"weights": "rows come from different weights"},
    mixed_fingerprints: {"fingerprints": "measured on different inputs", "plan": "2 planned units"},
    fingerprint_of_another_calibrator: {
        "fingerprints": "several protocols, splits or calibrators",
        "plan": "4 planned",
    },
}


@pytest.mark.parametrize("plant", ROW_PLANTS, ids=lambda plant: plant.__name__)
def test_what_is_wrong_with_rows_is_found(root, verify, plant):
    plant(root)
    code, found = verify()
    assert code == 1
    for check, words in ROW_PLANTS[plant].items():
        assert any(check == name and words in what for name, what in found), found


def test_clean_removes_leftovers_and_nothing_else(root, verify, capsys):
    before = {path: path.read_bytes() for path in root.path.rglob("*") if path.is_file()}
    leftover(root)
    stale_heartbeat(root)
    foreign(root)
    code, found = verify("--clean")
    assert (code, [check for check, _ in found]) == (1, ["foreign"])
    (files(root)[0].parent / "notes.txt").unlink()
    assert {path: path.read_bytes() for path in root.path.rglob("*") if path.is_file()} == before
    assert verify("--clean") == (0, [])


def test_clean_says_what_it_removed_and_waits_for_runs(root, overrides, capsys):
    leftover(root)
    stale_heartbeat(root)
    removed = remove_leftovers(root)
    assert [path.name for path in removed] == ["x.parquet.r1.0.tmp", "r1"]
    leftover(root)
    at_work = RunBeat("r2", "run", Sender("another machine", 7, 0.0, 9e9), 10)
    beat(root, at_work)
    arguments = [*overrides, *STUDY, f"results={root.path.parent}"]
    assert main(["verify", *arguments, "--clean"]) == 2
    assert "r2 is at work, nothing was removed" in capsys.readouterr().err
    assert len(root.leftovers()) == 1
    of_r2 = files(root)[0].with_name("x.parquet.r2.0.tmp")
    of_r2.touch()
    found = [finding.where for finding in check_files(root)]
    assert len(found) == 1, "what a run at work is about to name is no leftover"
    assert str(of_r2) not in found


def test_store_json_is_what_makes_a_store(root, verify):
    (root.path / "store.json").write_text(json.dumps({"schema_version": 99}))
    assert verify() == (2, [])
