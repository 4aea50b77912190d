"""``harness archive``: each fault is named with its file, what is missing is said, and a run reads either form."""

import bz2
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness.archives import Archive, open_archive, weights_hash, write_meta, write_record
from harness.cli.main import main
from harness.datasets import Library
from harness.runner import archive_work
from harness.store import open_store
from harness.zoo import archive_folder

VOLATILE = ["run_id", "seconds"]


@pytest.fixture
def harness(tmp_path, capsys):
    """Run a command in this process; returns its exit code and what it printed."""

    def call(*words):
        code = main([*map(str, words), "runner=local", f"results={tmp_path / 'results'}"])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return call


@pytest.fixture
def zoo(zoo_root, recipe, tmp_path) -> Path:
    """A copy of the archive of four trained topologies."""
    folder = archive_folder(zoo_root, recipe, "tss", Library())
    copy = shutil.copytree(folder, tmp_path / folder.name)
    for name in ("index.parquet", "SHA256SUMS"):
        (copy / name).unlink(missing_ok=True)
    return copy


@pytest.fixture
def real(real_data, tmp_path) -> Path:
    """A copy of the real records of the topology space."""
    folder = next((real_data / "nats_simple").glob("*-tss-*"))
    copy = shutil.copytree(folder, tmp_path / folder.name)
    copy.chmod(0o755)
    for path in copy.iterdir():
        path.chmod(0o644)
    return copy


def first(folder: Path) -> Path:
    archive = open_archive(folder)
    return archive.record_path(archive.held[0])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def plant(path: Path, content: object) -> None:
    path.write_bytes(bz2.compress(pickle.dumps(content)))


class Payload:
    """Pickles as a command that leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_sound_archive_is_said_to_be_sound_and_what_is_missing_is_said(harness, zoo):
    code, out = harness("archive", "verify", zoo)
    assert code == 0, out
    assert "4 of 15,625 records" in out
    assert re.search(r"missing: 15,621 records: 0-\d+", out)
    assert re.search(r"networks that load .*: digits, seed 777, hp '02' of \d+", out)
    assert "the archive is sound in all that it holds" in out
    manifest = (zoo / "SHA256SUMS").read_text()
    assert len(manifest.splitlines()) == 5, "the meta file and four records"
    assert harness("archive", "verify", zoo)[0] == 0
    assert (zoo / "SHA256SUMS").read_text() == manifest


def test_real_records_are_sound(harness, real):
    code, out = harness("archive", "verify", real)
    assert code == 0, out
    assert "missing: 15,623 records: 1-10, 12-15624" in out
    assert re.search(r"cifar10 +200 +2 +6 +0 +777, 888, 999", out)
    assert "networks that load" not in out, "there are no weights"


FAULTS = {
    "truncated": (lambda path, tmp: path.write_bytes(path.read_bytes()[:-100]), "truncated"),
    "empty": (lambda path, tmp: path.write_bytes(b""), "it is empty; fetch the file again"),
    "flipped": (lambda path, tmp: flip(path), "damaged: .* in the bz2 stream"),
    "meta": (lambda path, tmp: shutil.copy(path.parent / "meta.pickle.pbz2", path), "this is the meta file"),
    "kind": (
        lambda path, tmp: path.write_bytes(b"PK\3\4" + bytes(99)),
        r"expected a bz2 file, its first bytes are b'PK",
    ),
    "hostile": (lambda path, tmp: plant(path, Payload(tmp / "ran")), r"asks for posix\.system.*nothing of it was run"),
    "list": (lambda path, tmp: plant(path, [1]), "expected a record by training budget"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named_with_its_file(harness, zoo, tmp_path, fault):
    spoil, message = FAULTS[fault]
    path = first(zoo)
    spoil(path, tmp_path)
    code, out = harness("archive", "verify", zoo)
    assert code == 1
    assert re.search(rf"record: {path}: .*{message}", out), out
    assert "verify: 1 violation" in out
    assert not (tmp_path / "ran").exists()
    assert path.name not in (zoo / "SHA256SUMS").read_text()
    assert f"record: {path}: " in harness("archive", "verify", zoo)[1], "not forgotten"
    code, out = harness("archive", "index", zoo)
    assert (code, f"record: {path}: " in out) == (1, True)


def test_swapped_records_are_both_named(harness, zoo):
    one, two = (open_archive(zoo).record_path(i) for i in open_archive(zoo).held[:2])
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    code, out = harness("archive", "verify", zoo)
    assert code == 1
    for path in (one, two):
        assert re.search(rf"record: {path}: .*swapped or renamed", out)


def test_a_meta_file_that_disagrees_with_the_records(harness, zoo, tmp_path):
    shutil.copy(write_meta(tmp_path / "sss", "sss"), zoo)
    code, out = harness("archive", "verify", zoo)
    assert code == 1
    assert out.count("expected a record of the sss space, this is one of tss") == 4


def test_a_damaged_meta_file(harness, zoo):
    flip(zoo / "meta.pickle.pbz2")
    code, out = harness("archive", "verify", zoo)
    assert code == 1
    assert re.search(r"archive: .*meta\.pickle\.pbz2: ", out)


def test_a_missing_meta_file(harness, zoo):
    (zoo / "meta.pickle.pbz2").unlink()
    code, out = harness("archive", "verify", zoo)
    assert (code, out.count(f"archive: {zoo}: has no meta.pickle.pbz2: expected")) == (1, 1), out


def strip(path: Path) -> None:
    content = pickle.loads(bz2.decompress(path.read_bytes()))
    for trial in content["02"]["all_results"].values():
        trial["net_state_dict"] = None
    plant(path, content)


@pytest.mark.parametrize("is_indexed", [True, False])
def test_an_archive_of_logs_alone_is_said_to_be_one_before_any_work(harness, zoo, tmp_path, is_indexed):
    for i in open_archive(zoo).held:
        strip(open_archive(zoo).record_path(i))
    note = "it holds logs only, no weights: its networks cannot be evaluated; take the archive whose name ends in -full"
    if is_indexed:
        for command in ("verify", "index"):
            assert harness("archive", command, zoo)[1].count(note) == 1
    code, out = harness("archive", "convert", zoo, tmp_path / "fast")
    assert (code, out.count(note), out.count("has a run read it")) == (0, 1, 0)
    wanted = [f"archives.tss={zoo}", "study.spaces=[tss]", "study.hps=['02']"]
    code, out = harness("plan", *wanted)
    assert (code, out.count(note), out.count("core-hours"), out.count("next:")) == (0, 1, 0, 0)
    code, out = harness("run", *wanted)
    assert (code, out.count(note)) == (2, 1)
    assert ("`harness archive index` finds them" in out) == (not is_indexed)
    assert not (tmp_path / "results" / "store").exists()


def test_a_budget_of_which_no_record_has_weights_is_refused_by_its_name(harness, zoo):
    for i in open_archive(zoo).held:
        path = open_archive(zoo).record_path(i)
        content = pickle.loads(bz2.decompress(path.read_bytes()))
        strip(path)
        plant(path, {"01": pickle.loads(bz2.decompress(path.read_bytes()))["02"], **content})
    harness("archive", "index", zoo)
    wanted = [f"archives.tss={zoo}", "study.spaces=[tss]"]
    code, out = harness("run", *wanted, "study.hps=['01','02']")
    assert (code, "none of its records holds weights of digits hp 01: leave that out of study.hps" in out) == (2, True)
    assert harness("plan", *wanted, "study.hps=['02']")[1].count("holds weights") == 0


@pytest.mark.parametrize("is_indexed", [True, False])
def test_a_record_without_weights_among_others_is_a_failure_on_record(harness, zoo, tmp_path, is_indexed):
    strip(first(zoo))
    if is_indexed:
        harness("archive", "index", zoo)
    code, out = harness("run", f"archives.tss={zoo}", "study.spaces=[tss]", "study.hps=['02']", "study.seeds=[777]")
    assert code == 1, out
    rows = open_store(str(tmp_path / "results" / "store")).failures(kind="failed").df()
    assert set(rows["arch_index"]) == {open_archive(zoo).held[0]}
    assert rows["message"].str.contains("were stripped").all()


def test_seeds_that_no_record_has_are_named_where_an_index_tells(harness, zoo):
    wanted = [f"archives.tss={zoo}", "study.spaces=[tss]", "study.hps=['02']", "study.seeds=[777,999,123]"]
    message = "tss: no record has seed 999 or 123 with hp 02 (digits): study.seeds=[777,888] lists those that they have"
    assert message not in harness("plan", *wanted)[1]
    harness("archive", "index", zoo)
    assert message in harness("plan", *wanted)[1]
    assert message in harness("run", *wanted)[1]


def test_a_stripped_record_among_others(harness, zoo):
    path = first(zoo)
    strip(path)
    code, out = harness("archive", "verify", zoo)
    assert code == 1
    assert f"weights: {path}: all of its weights were stripped" in out


def test_what_does_not_fit_is_not_called_sound_in_the_manifest(harness, zoo):
    path = first(zoo)
    whole = path.read_bytes()
    strip(path)
    assert harness("archive", "verify", zoo)[0] == 1
    path.write_bytes(whole)
    assert harness("archive", "verify", zoo)[0] == 0, "the right record is no change of a sound one"


def test_a_link_that_leads_nowhere_is_one_finding(harness, zoo):
    path = first(zoo)
    path.unlink()
    path.symlink_to("/nowhere/else")
    for command in ("verify", "index"):
        code, out = harness("archive", command, zoo)
        assert (code, f"record: {path}: a link that leads nowhere\n" in out) == (1, True), out


def test_a_pipe_is_not_waited_for(harness, zoo):
    path = first(zoo)
    path.unlink()
    os.mkfifo(path)
    code, out = harness("archive", "verify", zoo)
    assert (code, f"record: {path}: cannot be read: it is a folder, a pipe or a device" in out) == (1, True), out


def test_what_could_not_be_read_is_tried_again(harness, zoo, monkeypatch):
    path, real = first(zoo), Path.open

    def refuse(self, *arguments, **options):
        if self == path:
            raise PermissionError(13, "Permission denied", str(path))
        return real(self, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        assert harness("archive", "index", zoo)[0] == 1
    code, out = harness("archive", "index", zoo)
    assert (code, "1/1 records" in out) == (0, True), out


def test_weights_of_another_network(harness, zoo):
    for i in open_archive(zoo).held:
        path = open_archive(zoo).record_path(i)
        content = pickle.loads(bz2.decompress(path.read_bytes()))
        for trial in content["02"]["all_results"].values():
            trial["net_state_dict"].popitem()
        plant(path, content)
    code, out = harness("archive", "verify", zoo)
    assert code == 1
    assert re.search(rf"load: {first(zoo)}: digits, seed 777, .*1 missing: classifier", out)


@pytest.mark.parametrize(
    "name",
    [
        "00012.pickle.pbz2",
        "000012.pickle.pbz2.1.pbz2",
        "000012 (1).pickle.pbz2",
        "x.tmp",
        "000012.pickle.pbz2.part",
        "015625.pickle.pbz2",
    ],
)
def test_a_misnamed_record_is_named_and_holds_up_no_other(harness, zoo, name):
    shutil.copy(first(zoo), zoo / name)
    code, out = harness("archive", "verify", zoo)
    assert code == 1
    assert f"names: {zoo / name}: " in out
    assert "verify: 1 violation" in out
    assert harness("plan", f"archives.tss={zoo}", "study.spaces=[tss]", "study.hps=['02']")[0] == 0


def test_the_folder_above_an_archive_is_told_from_one(harness, zoo):
    code, out = harness("archive", "verify", zoo.parent)
    assert (code, f"its subfolder {zoo.name} looks like one" in out) == (2, True)


def test_a_record_of_the_other_space_is_not_called_swapped(harness, zoo, zoo_root, recipe):
    sizes = open_archive(archive_folder(zoo_root, recipe, "sss", Library()))
    shutil.copy(sizes.record_path(sizes.held[0]), zoo / "000003.pickle.pbz2")
    code, out = harness("archive", "verify", zoo)
    message = "hp 02: expected a record of the tss space, this is one of sss"
    assert (code, f"record: {zoo / '000003.pickle.pbz2'}: {message}" in out) == (1, True), out


def test_a_missing_path_alone_is_asked_for(capsys):
    with pytest.raises(SystemExit):
        main(["archive", "verify"])
    assert "the following arguments are required: PATH\n" in capsys.readouterr().err


def test_a_changed_and_a_lost_file_are_told_by_the_manifest(harness, zoo):
    harness("archive", "verify", zoo)
    changed, lost = (open_archive(zoo).record_path(i) for i in open_archive(zoo).held[:2])
    changed.write_bytes(bz2.compress(bz2.decompress(changed.read_bytes()), 1))
    lost.unlink()
    code, out = harness("archive", "verify", zoo)
    assert code == 1
    assert f"manifest: {changed}: changed since" in out
    assert f"manifest: {lost}: is gone since" in out
    assert harness("archive", "verify", zoo)[0] == 1, "until somebody decides"


@pytest.mark.parametrize("command", ["verify", "index", "convert"])
def test_no_archive_is_bad_input(harness, tmp_path, command):
    out = [tmp_path / "out"] if command == "convert" else []
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "nowhere", tmp_path / "empty"):
        code, message = harness("archive", command, path, *out)
        assert code == 2
        assert str(path) in message
    assert not (tmp_path / "out").exists()


def test_index_again_reads_what_is_new_alone(harness, zoo):
    code, out = harness("archive", "index", zoo)
    assert (code, "4/4 records" in out) == (0, True)
    assert "nothing to do" in harness("archive", "index", zoo)[1]
    path = first(zoo)
    path.touch()
    assert "1/1 records" in harness("archive", "index", zoo)[1]
    assert pq.read_table(zoo / "index.parquet").num_rows == 7
    path.unlink()
    assert harness("archive", "index", zoo)[0] == 0
    assert "tells of all of its 3 records" in harness("archive", "index", zoo)[1]


def test_an_interrupted_survey_keeps_what_it_knows(harness, zoo, monkeypatch):
    harness("archive", "verify", zoo)
    held = open_archive(zoo).held
    os.utime(open_archive(zoo).record_path(held[1]), ns=(1, 1))
    real = archive_work.survey_record

    def interrupt(archive, i, sound):
        if i == held[2]:
            raise KeyboardInterrupt
        return real(archive, i, sound)

    with monkeypatch.context() as patched:
        patched.setattr(archive_work, "survey_record", interrupt)
        code, out = harness("archive", "verify", zoo)
    assert (code, "again to resume" in out) == (3, True)
    assert "nothing to do" in harness("archive", "index", zoo)[1], "of the second file it has the new time"


KILLED = """
import os, signal, sys
from harness.archives import growing
from harness.cli.main import main
from harness.runner import archive_work

survey, n_asked = archive_work.survey_record, 0

def survey_two(*arguments):
    global n_asked
    n_asked += 1
    if n_asked == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return survey(*arguments)

growing.SAVE_EVERY_S, archive_work.survey_record = 0.0, survey_two
main(sys.argv[1:])
"""
"""Runs a command that writes the index after each record, and kills its process when it comes to the third."""


def killed(*words: object) -> int:
    return subprocess.run([sys.executable, "-c", KILLED, *map(str, words), "runner=local"], check=False).returncode


def test_a_killed_survey_goes_on_where_it_was(harness, zoo):
    assert killed("archive", "index", zoo) == -signal.SIGKILL
    assert pq.read_table(zoo / "index.parquet")["arch_index"].unique().to_pylist() == [*open_archive(zoo).held[:2]]
    code, out = harness("archive", "index", zoo)
    assert (code, "2/2 records" in out) == (0, True), out


def test_a_killed_verification_goes_on_where_it_was(harness, zoo):
    path = first(zoo)
    flip(path)
    assert killed("archive", "verify", zoo) == -signal.SIGKILL
    assert not (zoo / "SHA256SUMS").exists()
    code, out = harness("archive", "verify", zoo)
    assert (code, "1 of 4 records were sound when last read" in out) == (1, True), out
    assert f"record: {path}: damaged" in out
    assert len((zoo / "SHA256SUMS").read_text().splitlines()) == 4, "the meta file and three records"


def test_a_second_verification_opens_what_changed_alone(harness, zoo, monkeypatch):
    harness("archive", "verify", zoo)
    real, opened = archive_work.survey_record, []

    def survey(archive, i, sound):
        found = real(archive, i, sound)
        opened.extend([] if found.table is None else [i])
        return found

    monkeypatch.setattr(archive_work, "survey_record", survey)
    assert harness("archive", "verify", zoo)[0] == 0
    assert opened == []
    held = open_archive(zoo).held
    flip(open_archive(zoo).record_path(held[1]))
    assert harness("archive", "verify", zoo)[0] == 1
    assert opened == [held[1]]
    opened.clear()
    harness("archive", "verify", zoo, "--all")
    assert opened == [*held]


def test_planning_opens_no_record_where_there_is_an_index(harness, zoo, monkeypatch):
    wanted = [f"archives.tss={zoo}", "study.spaces=[tss]", "study.hps=['02']"]
    without = harness("plan", *wanted)
    assert without[0] == 0
    harness("archive", "index", zoo)

    def refuse(archive, i):
        raise AssertionError(f"record {i} was opened")

    with monkeypatch.context() as patched:
        patched.setattr(Archive, "record", refuse)
        assert harness("plan", *wanted) == without
    first(zoo).touch()
    code, out = harness("plan", *wanted)
    assert (code, "`harness archive index` renews it" in out) == (0, True)


def test_convert_resumes_and_gives_the_same_weights(harness, zoo, tmp_path):
    out = tmp_path / "fast"
    code, printed = harness("archive", "convert", zoo, out, "limit=2")
    assert (code, "converting 2 of 2 records" in printed) == (0, True)
    code, printed = harness("archive", "convert", zoo, out)
    assert (code, "converting 2 of 4 records" in printed) == (0, True)
    assert "converting 0 of 4 records" in harness("archive", "convert", zoo, out)[1]
    before, after = open_archive(zoo), open_archive(out)
    assert (after.source, after.held, after.is_converted) == (before.source, before.held, True)
    for i in before.held:
        a, b = before.record(i), after.record(i)
        assert a.info == b.info
        assert all(weights_hash(a.weights(*key)) == weights_hash(b.weights(*key)) for key in a.info)
    code, printed = harness("archive", "verify", out)
    assert (code, "converted: 4 of 15,625" in printed) == (0, True), printed
    assert pq.read_table(out / "index.parquet").num_rows == 7
    first(zoo).touch()
    assert "converting 1 of 4 records" in harness("archive", "convert", zoo, out)[1], "its file is another now"


def test_a_damaged_record_is_named_and_the_others_are_converted(harness, zoo, tmp_path):
    path = first(zoo)
    flip(path)
    code, out = harness("archive", "convert", zoo, tmp_path / "fast")
    assert code == 1
    assert f"record: {path}: damaged" in out
    assert len(open_archive(tmp_path / "fast").held) == 3


def test_a_full_disk_stops_the_conversion(harness, zoo, tmp_path, monkeypatch):
    real, calls = os.fsync, []

    def fill_up(descriptor):
        calls.append(descriptor)
        if len(calls) == 5:  # the description and the first record take two each
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fill_up)
        code, out = harness("archive", "convert", zoo, tmp_path / "fast")
    assert code == 3
    assert "No space left on device" in out
    assert len(open_archive(tmp_path / "fast").held) == 1
    assert harness("archive", "convert", zoo, tmp_path / "fast")[0] == 0
    assert len(open_archive(tmp_path / "fast").held) == 4


def test_a_damaged_converted_record_is_named(harness, zoo, tmp_path):
    harness("archive", "convert", zoo, tmp_path / "fast")
    path = first(tmp_path / "fast")
    flip(path)
    code, out = harness("archive", "verify", tmp_path / "fast")
    assert code == 1
    assert re.search(rf"record: {path}: damaged: the weights of digits", out)
    code, out = harness("archive", "convert", zoo, tmp_path / "fast")
    assert (code, "converting 1 of 4 records" in out) == (0, True), "it is converted again"
    assert harness("archive", "verify", tmp_path / "fast")[0] == 0


def test_an_index_that_a_killed_conversion_left_behind_is_completed(harness, zoo, tmp_path):
    out = tmp_path / "fast"
    harness("archive", "convert", zoo, out, "limit=2")
    old = (out / "index.parquet").read_bytes()
    harness("archive", "convert", zoo, out)
    (out / "index.parquet").write_bytes(old)  # as if it had been killed before it wrote the index
    assert harness("archive", "convert", zoo, out)[0] == 0
    assert set(pq.read_table(out / "index.parquet")["arch_index"].to_pylist()) == set(open_archive(out).held)


def test_convert_refuses_another_folder(harness, zoo, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    for out in (tmp_path / "other", zoo, first(zoo)):
        code, message = harness("archive", "convert", zoo, out)
        assert (code, "expected a new folder" in message) == (2, True)
    harness("archive", "convert", zoo, tmp_path / "fast", "limit=1")
    code, message = harness("archive", "convert", tmp_path / "fast", tmp_path / "again")
    assert (code, "is a converted archive already" in message) == (2, True)
    other = tmp_path / "zoo-ffffffff-tss"
    shutil.copytree(zoo, other)
    code, message = harness("archive", "convert", other, tmp_path / "fast")
    assert (code, "expected a converted archive of" in message) == (2, True)


def test_a_run_reads_either_form_and_writes_the_same_rows(harness, zoo, tmp_path):
    harness("archive", "convert", zoo, tmp_path / "fast")
    rows = []
    for folder, store in ((zoo, "a"), (tmp_path / "fast", "b")):
        root = tmp_path / store
        wanted = [f"archives.tss={folder}", "study.spaces=[tss]", "study.hps=['02']", f"store={root}"]
        assert harness("run", *wanted)[0] == 0
        found = open_store(str(root)).measurements().df().drop(columns=VOLATILE)
        rows.append(found.sort_values(list(found.columns[:13])).reset_index(drop=True))
    assert len(rows[0]) == 14
    assert rows[0].equals(rows[1])


def test_an_archive_of_two_budgets_is_counted_by_budget(harness, tmp_path, zoo):
    content = pickle.loads(bz2.decompress(first(zoo).read_bytes()))
    index = content["02"]["arch_index"]
    folder = tmp_path / "NATS-tss-v1_0-00000-full"
    write_meta(folder, "tss")
    write_record(folder, index, {"02": content["02"], "12": content["02"]})
    code, out = harness("archive", "verify", folder)
    assert code == 0, out
    assert len(re.findall(r"digits +(02|12) +1 ", out)) == 2
