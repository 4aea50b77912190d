"""Stores in an object store, over HTTP: whole rounds of commands, errors, delays, kills, and what is refused."""

import pickle
import signal
import socket
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.cli.main import main
from harness.errors import StoreError
from harness.store import StoreRoot, open_store
from harness.store.audit import check_files, check_rows, count_duplicates, remove_leftovers
from harness.store.files import commit, files_below, store_path
from harness.store.live import (
    STALE_AFTER_S,
    RunBeat,
    Sender,
    WorkerBeat,
    beat,
    dead_runs,
    end_run,
    live_runs,
    live_workers,
)
from harness.store.merging import merge
from harness.store.object_path import ObjectPath
from harness.store.pruning import UNWANTED, WANTED_BY, find_prunable, prune
from harness.store.schema import MEASUREMENT_TABLE
from harness.store.watching import watch_runs
from harness.store.writer import to_parquet, write_failures, write_measurements
from harness.values import Failure, FailureKind, ModelKey, UnitKey, Variant, WantedRow, WantedUnit

VOLATILE = ["run_id", "seconds", "device"]
DEADLINE_S = 600
SMALL = ["study.spaces=[sss]", "runner.parcel_records=1"]


def row(**changes):
    return {
        "source": "zoo-00000000", "space": "sss", "arch_index": 7, "dataset": "digits", "hp": "12", "seed": 777,
        "protocol": "clean", "condition": "unshifted", "severity": 0, "split": "random20", "split_seed": 42,
        "label_set": "original", "calibrator": "none", "families": ["study@1"], "fingerprint": "f" * 32,
        "run_id": "r1", "ECE_15": 0.25,
    } | changes  # fmt: skip


def failure():
    rows = (WantedRow(Variant("random20", 42, "original", "none"), "f" * 32),)
    unit = UnitKey(ModelKey("zoo-00000000", "sss", 7, "digits", "12", 777), "clean", "unshifted", 0)
    return Failure(WantedUnit(unit, rows, frozenset(), ("study",), 1), FailureKind.FAILED, "data", "E", "m", "")


@pytest.fixture
def root(s3):
    return StoreRoot.create(s3.uri)


@pytest.fixture
def harness(overrides, s3, tmp_path, capsys):
    """Run a command on the small zoo and the bucket, in this process; returns exit code, output and error output."""

    def call(command, *more, first=()):
        code = main([*command.split(), *first, *overrides, f"results={tmp_path}", f"store={s3.uri}", *more])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def start(overrides, s3, tmp_path):
    """Start a run on the small zoo and the bucket as a process of its own."""

    def call(*more):
        command = [sys.executable, "-m", "harness", "run", *overrides, f"results={tmp_path}", f"store={s3.uri}", *more]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return call


@pytest.fixture(scope="module")
def undisturbed(overrides, tmp_path_factory):
    """The rows of a run on a local folder, of both spaces."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert main(["run", *overrides, f"results={folder}"]) == 0
    return frame(str(folder / "store"))


def frame(location):
    rows = open_store(location).measurements().df()
    return rows.drop(columns=VOLATILE).sort_values(list(rows.columns[:13])).reset_index(drop=True)


def of_space(rows, space):
    return rows[rows["space"] == space].reset_index(drop=True)


def parquet_keys(s3):
    return [key for key in s3.objects() if key.endswith(".parquet") and "/measurements/" in key]


# A round of commands


def test_run_resume_verify_query_status(harness, s3, undisturbed, tmp_path, few_notebooks):
    code, out, _ = harness("plan")
    assert code == 0
    assert s3.objects() == [], "plan changes nothing"
    assert harness("run", *SMALL)[0] == 0
    assert frame(s3.uri).equals(of_space(undisturbed, "sss"))
    first = set(parquet_keys(s3))
    assert harness("run")[0] == 0
    assert frame(s3.uri).equals(undisturbed)
    assert first < set(parquet_keys(s3))

    code, out, _ = harness("run")
    assert (code, "9 units are done in s3://results/store" in out) == (0, True)
    code, out, _ = harness("verify")
    assert (code, "the store is sound and complete" in out) == (0, True)
    code, out, _ = harness("status")
    assert (code, "measurements in s3://results/store" in out) == (0, True)
    csv = tmp_path / "answer.csv"
    query = "SELECT count(*) AS n, count(DISTINCT parse_filename(filename)) AS files FROM committed_measurements"
    assert harness("query", "--out", str(csv), first=[query])[0] == 0
    assert csv.read_text().split() == ["n,files", f"18,{len(parquet_keys(s3))}"]
    store = open_store(s3.uri)
    assert len(store.models().df()) == 9
    assert len(store.wide().df()) == 9
    assert store.sql("SELECT DISTINCT command FROM runs").fetchall() == [("run",)]
    assert harness("report")[0] == 0
    assert "from the store s3://results/store" in (tmp_path / "report" / "index.html").read_text()
    assert not (tmp_path / "store").exists(), "nothing of the store is local"
    assert not [key for key in s3.objects() if key.endswith((".tmp", ".json")) and key != "store/store.json"]


@pytest.mark.slow
def test_workers_of_ray_write_to_the_bucket(start, harness, s3, undisturbed):
    with start("runner=ray", "runner.workers=2", "runner.parcel_records=1") as process:
        output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, output
    assert frame(s3.uri).equals(undisturbed)
    assert harness("verify")[0] == 0


@pytest.mark.slow
def test_two_drivers_at_once_leave_one_sound_store(start, harness, s3, undisturbed):
    with start(*SMALL) as one, start(*SMALL) as other:
        for process in (one, other):
            output, _ = process.communicate(timeout=DEADLINE_S)
            assert process.returncode == 0, output
    assert frame(s3.uri).equals(of_space(undisturbed, "sss"))
    assert harness("verify", *SMALL)[0] == 0


# A store that is ill


def test_errors_that_pass_are_survived(harness, s3, undisturbed):
    for pattern in (
        "HEAD .*json",
        "PUT .*/measurements/",
        "PUT .*/live/",
        "PUT .*/runs/",
        "GET .*/measurements/",
        "GET .*list",
    ):
        s3.proxy.fail(pattern, times=2)
    assert harness("run", *SMALL)[0] == 0
    assert harness("verify", *SMALL)[0] == 0
    assert all(rule.count == 2 for rule in s3.proxy.rules)
    assert frame(s3.uri).equals(of_space(undisturbed, "sss"))


def test_slow_answers_are_waited_for(harness, s3, undisturbed):
    for method in ("GET", "PUT", "HEAD"):
        s3.proxy.delay(f"{method} ", delay_s=1.5, times=4)
    assert harness("run", *SMALL)[0] == 0
    assert frame(s3.uri).equals(of_space(undisturbed, "sss"))


def test_a_store_that_fails_for_good_stops_the_run_which_then_resumes(harness, s3, monkeypatch, undisturbed):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3.proxy.fail("PUT .*/measurements/")
    code, _, err = harness("run", *SMALL)
    assert code == 3
    assert "cannot write s3://results/store/measurements/" in err
    assert "what was committed is kept" in err
    assert parquet_keys(s3) == []
    s3.proxy.rules.clear()
    assert harness("run", *SMALL)[0] == 0
    assert frame(s3.uri).equals(of_space(undisturbed, "sss"))


def test_a_store_that_cannot_be_read_after_the_work_has_lost_nothing(harness, s3, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3.proxy.fail("GET .*/measurements/")
    code, _, err = harness("run", *SMALL)
    assert (code, "all is committed, but the store cannot be read" in err) == (3, True)
    code, _, err = harness("status")
    assert (code, "harness: error: the store cannot be read" in err) == (2, True)
    s3.proxy.rules.clear()
    assert harness("verify", *SMALL)[0] == 0


def test_a_failed_upload_publishes_nothing(root, s3, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for pattern, content in (("PUT", b"small"), ("POST", bytes(20_000_000)), ("PUT .*partNumber=2", bytes(20_000_000))):
        s3.proxy.fail(pattern, times=1)
        with pytest.raises(StoreError, match=r"cannot write s3://results/store/x at http.*injected by the test"):
            commit(root.path / "x", content, "r1")
        assert "store/x" not in s3.objects()


# A writer that is killed


def test_a_run_killed_in_an_upload_leaves_no_object_and_resumes(start, harness, s3, undisturbed):
    rule = s3.proxy.hold("PUT .*/measurements/")
    with start(*SMALL) as process:
        assert rule.met.wait(DEADLINE_S), process.poll()
        process.send_signal(signal.SIGKILL)
    assert parquet_keys(s3) == []
    assert s3.uploads() == []
    assert harness("run", *SMALL)[0] == 0
    assert frame(s3.uri).equals(of_space(undisturbed, "sss"))
    assert harness("verify", *SMALL)[0] == 0


COMMIT = """
import sys
from harness.store.files import commit, store_path
commit(store_path(sys.argv[1]), bytes(int(sys.argv[2])), "r1")
"""


@pytest.fixture
def committing(s3):
    """Start a process that commits one object of many bytes."""

    def call(size):
        command = [sys.executable, "-c", COMMIT, f"{s3.uri}/x.parquet", str(size)]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    return call


def test_a_kill_between_parts_leaves_no_object(committing, s3):
    rule = s3.proxy.hold("PUT .*partNumber=2")
    with committing(40_000_000) as process:
        assert rule.met.wait(DEADLINE_S), process.poll()
        process.send_signal(signal.SIGKILL)
    assert s3.objects() == []


def test_an_interrupt_lets_the_upload_finish(committing, s3):
    rule = s3.proxy.delay("PUT", delay_s=2.0, times=1)
    with committing(100_000) as process:
        assert rule.met.wait(DEADLINE_S), process.poll()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert "KeyboardInterrupt" in errors
    assert s3.read("store/x.parquet") == bytes(100_000)


INTERRUPTED = """
import itertools, sys
from harness.store import object_path
from harness.store.files import commit, store_path

def interrupting(step):
    left = step
    def trace(frame, event, argument):
        nonlocal left
        if frame.f_code.co_filename != object_path.__file__:
            return None
        left -= event == "line"
        if left == 0:
            raise KeyboardInterrupt
        return trace
    return trace

commit(store_path(sys.argv[1]) / "0.parquet", bytes(1000), "r1")  # connects, which needs lines of its own
for step in itertools.count(1):
    sys.settrace(interrupting(step))
    try:
        commit(store_path(sys.argv[1]) / f"{step}.parquet", bytes(1000), "r1")
        break
    except KeyboardInterrupt:
        continue
    finally:
        sys.settrace(None)
print(step)
"""


def test_an_interrupt_before_any_line_leaves_a_whole_object_or_none(s3):
    command = [sys.executable, "-c", INTERRUPTED, s3.uri]
    steps = int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=DEADLINE_S).stdout)
    names = [f"store/{step}.parquet" for step in range(steps + 1)]
    whole = set(names) & set(s3.objects())
    assert {s3.read(name) for name in whole} == {bytes(1000)}
    assert 2 < len(whole) < steps, "interrupts came before the upload and in it"


# What is refused, before anything is changed


def test_a_missing_bucket_is_refused(harness):
    code, _, err = harness("run", "store=s3://nowhere/store")
    assert code == 2
    assert "there is no bucket nowhere" in err
    assert harness("status", "store=s3://nowhere/store")[0] == 2


def test_an_endpoint_where_nobody_answers_is_refused(harness, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    code, _, err = harness("run")
    assert code == 2
    assert "cannot reach the store s3://results/store at http://127.0.0.1:9" in err
    assert "is AWS_ENDPOINT_URL right and the store reachable from here?" in err


def test_an_endpoint_that_takes_calls_and_says_nothing_is_refused(monkeypatch, s3):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(StoreError, match=r"cannot reach the store .*too slow.*is AWS_ENDPOINT_URL right"):
            open_store(s3.uri)


@pytest.mark.parametrize(("policy", "message"), [
    (None, "cannot reach the store"),
    (["s3:ListBucket", "s3:HeadBucket", "s3:GetObject"], "the store s3://results/store is not writable"),
])  # fmt: skip
def test_a_key_without_rights_is_refused(harness, s3, user, monkeypatch, policy, message):
    key = user(policy)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    code, _, err = harness("run")
    assert code == 2
    assert message in err
    assert "must be allowed to list, read, write and delete there" in err


def test_a_place_that_holds_something_else_is_refused(harness, s3):
    s3.write("store/thesis.tex", b"mine")
    code, _, err = harness("run")
    assert (code, "no store at s3://results/store: expected a folder with store.json" in err) == (2, True)
    assert s3.objects() == ["store/thesis.tex"]


def test_a_store_of_another_version_is_refused(harness, root, s3):
    s3.write("store/store.json", b'{"schema_version": 99}')
    before = s3.objects()
    code, _, err = harness("run")
    assert (code, "schema version 99, this harness reads and writes version 1" in err) == (2, True)
    assert s3.objects() == before


# The store on objects


def test_every_file_of_a_table_is_read_and_absent_columns_are_null(root, s3):
    write_measurements(root, [row(own={"gap": 0.5}), row(space="tss")], "r1")
    older = pq.read_table(pa.BufferReader(to_parquet([row(seed=888)], MEASUREMENT_TABLE))).drop_columns(["NLL", "own"])
    sink = pa.BufferOutputStream()
    pq.write_table(older, sink)
    s3.write("store/measurements/older.parquet", sink.getvalue().to_pybytes())
    store = open_store(s3.uri)
    rows = store.measurements().df().sort_values(["space", "seed"])
    assert rows["seed"].tolist() == [777, 888, 777]
    assert rows["gap"].isna().tolist() == [False, True, True]
    assert rows["NLL"].isna().all()
    names = store.sql("SELECT filename FROM committed_measurements WHERE seed = 888").fetchall()
    assert names == [("s3://results/store/measurements/older.parquet",)]
    assert len(store.failures().df()) == 0


def test_of_equal_keys_one_row_is_read_and_duplicates_are_audited(root, s3):
    write_measurements(root, [row()], "r1")
    write_measurements(root, [row()], "r2")
    assert len(parquet_keys(s3)) == 1, "the name exists: the write is done"
    write_measurements(root, [row(), row(seed=888)], "r2")
    store = open_store(s3.uri)
    assert len(store.measurements().df()) == 2
    assert count_duplicates(store) == 1
    assert list(check_rows(store)) == []


def test_damage_is_found_by_name(root, s3):
    write_measurements(root, [row(source="marker-of-the-page" * 20)], "r1")
    assert list(check_files(root)) == []
    (key,) = parquet_keys(s3)
    content = bytearray(s3.read(key))
    offset = pq.ParquetFile(pa.BufferReader(bytes(content))).metadata.row_group(0).column(0).dictionary_page_offset
    content[offset + 40] ^= 1
    s3.write(key, bytes(content))
    assert [(f.check, f.where) for f in check_files(root)] == [("bytes", f"s3://results/{key}")]
    s3.write(key, bytes(content[:1000]))
    assert [f.check for f in check_files(root)] == ["bytes"]


def test_a_network_that_fails_is_no_damage(root, s3, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    write_measurements(root, [row()], "r1")
    s3.proxy.fail("GET .*/measurements/")
    with pytest.raises(OSError, match="INTERNAL_FAILURE"):
        list(check_files(root))


def test_what_a_killed_probe_left_is_removed(root, s3):
    s3.write("store/probe-0.tmp", b"probe")
    assert [f.check for f in check_files(root)] == ["leftovers"]
    assert [path.name for path in remove_leftovers(root)] == ["probe-0.tmp"]
    assert list(check_files(root)) == []


def test_heartbeats(root, s3):
    driver, worker = Sender("node", 7, 900.0, 1000.0), Sender("node", 8, 900.0, 1010.0)
    beat(root, RunBeat("r1", "run", driver, 40, n_failed=1))
    for n_done in (3, 4):
        beat(root, WorkerBeat("r1", "node-8", worker, "cpu", "waiting", 1000.0, n_done, 1, 5.0, None))
    s3.write("store/live/r1/node-9.json", b"{")
    assert [b.units_done for b in live_workers(root, now=1020.0)] == [4]
    assert [b.run_id for b in live_runs(root, now=1020.0)] == ["r1"]
    write_failures(root, [failure()], "r1")
    (watched,) = watch_runs(root, now=1020.0)
    assert [(cause.type, cause.n_units) for cause in watched.failures] == [("E", 1)]
    end_run(root, "r1")
    assert live_workers(root, now=1020.0) == live_runs(root, now=1020.0) == []
    assert not any("node" in key for key in s3.objects())


def test_what_workers_say_after_the_end_of_their_run_is_removed_when_it_is_old(root, s3):
    s3.write("store/live/r1/node-8.json", b"{}")
    assert dead_runs(root, now=time.time()) == []
    assert dead_runs(root, now=time.time() + STALE_AFTER_S + 10) == ["r1"]


@pytest.mark.slow
def test_logits_kept_in_the_bucket_are_measured_again(harness, s3, undisturbed):
    assert harness("run", *SMALL, "keep_logits=float32")[0] == 0
    assert frame(s3.uri).equals(of_space(undisturbed, "sss"))
    assert harness("measure", *SMALL, "study.families=[study,signed]")[0] == 0
    rows = open_store(s3.uri).measurements().df()
    assert all("signed@1" in families for families in rows["families"])
    assert harness("verify", *SMALL, "study.families=[study,signed]")[0] == 0


def test_merge_between_a_folder_and_the_bucket_and_back(root, s3, tmp_path):
    write_measurements(root, [row()], "r1")
    folder = StoreRoot.create(tmp_path / "store")
    write_measurements(folder, [row(arch_index=8)], "r1")
    assert (merge(folder, root), merge(root, folder)) == (1, 1)
    assert sorted(map(root.relative, root.table_files("measurements"))) == sorted(
        map(folder.relative, folder.table_files("measurements"))
    )
    assert len(open_store(s3.uri).measurements()) == 2


def test_prune_rewrites_the_file_of_what_goes(root):
    write_measurements(root, [row(), row(arch_index=8)], "r1")
    write_measurements(root, [row(fingerprint="0" * 32)], "r1")
    wanted = pa.Table.from_pylist([{name: row()[name] for name in (*WANTED_BY, "fingerprint")}])
    files = find_prunable(root, wanted)
    assert [file.count(UNWANTED) for file in files] == [1]
    prune(root, files)
    assert find_prunable(root, wanted) == list(check_files(root)) == []
    assert len(open_store(str(root.path)).sql("FROM committed_measurements")) == 2


def test_a_root_travels_as_a_value(root):
    there = pickle.loads(pickle.dumps(root))
    write_measurements(there, [row()], "r1")
    assert there == root
    assert len(there.table_files("measurements")) == 1


# Paths, beside those of pathlib


@pytest.fixture(params=["folder", "bucket"])
def place(request, tmp_path, s3):
    """The same five files in a folder and in a bucket."""
    path = tmp_path / "store" if request.param == "folder" else store_path(s3.uri)
    for name in ("a.json", "t/x=1/b.parquet", "t/x=1/c.tmp", "t/x=2/d.parquet", "u/e"):
        commit(path / name, name.encode(), "r1")
    return path


def test_paths_answer_as_those_of_a_folder(place):
    def names(paths):
        return sorted(str(path.relative_to(place)) for path in paths)

    assert names(files_below(place, "*")) == ["a.json", "t/x=1/b.parquet", "t/x=1/c.tmp", "t/x=2/d.parquet", "u/e"]
    assert names(files_below(place / "t", "*.parquet")) == ["t/x=1/b.parquet", "t/x=2/d.parquet"]
    assert names(place.iterdir()) == ["a.json", "t", "u"]
    assert names(place.glob("*.json")) == ["a.json"]
    assert files_below(place / "nothing", "*") == []
    b = place / "t" / "x=1" / "b.parquet"
    assert (b.name, b.stem, b.suffix, b.parts[-2], b.parent) == (
        "b.parquet",
        "b",
        ".parquet",
        "x=1",
        place / "t" / "x=1",
    )
    assert b.read_text() == "t/x=1/b.parquet"
    assert [(p.exists(), p.is_file(), p.is_dir()) for p in (b, b.parent, place / "none")] == [
        (True, True, False), (True, False, True), (False, False, False),
    ]  # fmt: skip
    commit(b, b"another", "r2")
    assert b.read_bytes() == b"t/x=1/b.parquet"
    with pytest.raises(OSError, match="not empty"):
        (place / "u").rmdir()
    (place / "u" / "e").unlink()
    (place / "u").rmdir()
    assert not (place / "u").exists()
    with pytest.raises(FileNotFoundError):
        (place / "u" / "e").unlink()
    (place / "u" / "e").unlink(missing_ok=True)


@pytest.mark.parametrize(("location", "message"), [
    ("gs://bucket/store", "expected a folder, or s3://BUCKET/PATH, got gs://bucket/store"),
    ("file:///data/store", "expected a folder, or s3://BUCKET/PATH"),
    ("s3:/bucket/store", "expected a folder, or s3://BUCKET/PATH"),
    ("s3://", "expected s3://BUCKET/PATH, got s3://"),
    ("s3://key:secret@bucket/store", "credentials come from the environment"),
    ("s3://bucket/store?region=eu-west-1", "endpoint, region and credentials come from the environment"),
])  # fmt: skip
def test_other_places_are_refused(location, message, capsys):
    assert main(["status", f"store='{location}'"]) == 2
    assert message in capsys.readouterr().err


def test_only_the_store_can_be_elsewhere(capsys):
    assert main(["status", "results=s3://bucket/results"]) == 2
    assert "the store alone can be elsewhere: store=s3://" in capsys.readouterr().err


def test_a_uri_survives_as_it_is():
    assert str(ObjectPath.from_uri("s3://bucket/a/b/")) == "s3://bucket/a/b"
    assert str(store_path("s3://bucket") / "store.json") == "s3://bucket/store.json"
