"""``harness archive verify``, ``index`` and ``convert``: archives as downloaded are audited, listed, made fast."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness import spaces
from harness.archives import (
    DESCRIPTION_FILE,
    Archive,
    Description,
    find_index,
    logs_only,
    open_archive,
    pairs_with_weights,
    read_description,
    read_manifest,
    write_description,
    write_index,
    write_manifest,
)
from harness.archives.audit import (
    as_finding,
    check_manifest,
    check_names,
    check_records,
    check_strays,
    check_weights,
    file_hashes,
    problem_of,
    ranges,
    require_archive,
)
from harness.archives.growing import GrowingIndex
from harness.archives.index import Found, hashes, problems, updated
from harness.cli.interrupts import draining
from harness.cli.output import meter, next_step, print_table, say
from harness.cli.session import chosen_indices, placing
from harness.cli.verify import print_findings
from harness.config import Settings
from harness.errors import DataError, StoppedEarlyError
from harness.runner.archive_work import ConvertTask, SurveyTask, ToSurvey, is_converted_from, load_kinds
from harness.runner.part import cut
from harness.runner.placement import AbstractTask, Item, Outcome, Result
from harness.values import Finding

_MOST_RANGES = 20


def verify(settings: Settings, arguments: argparse.Namespace) -> int:
    """Read everything in an archive and print what is wrong and what is missing; return 0, or 1 if something is wrong.

    Files with the hash that they had when they were found sound are not opened again, unless ``--all`` is given.
    """
    folder = Path(arguments.path).absolute()
    require_archive(folder)
    n_findings = print_findings(check_names(folder))
    try:
        archive = open_archive(folder)
        before = read_manifest(archive, settings.archive_cache)
    except DataError as error:
        print_findings([as_finding("archive", error)])
        return _conclude(n_findings + 1, "its records are verified once this is mended")
    n_findings += print_findings(check_strays(archive))
    known = find_index(archive, settings.archive_cache)
    items = [ToSurvey(i) for i in archive.held] if arguments.all else _to_survey(archive, known.table)
    lost = _survey(archive, items, known, settings)
    table = find_index(archive, settings.archive_cache).table
    found = file_hashes(archive, table)
    unreadable = {archive.record_path(i).name for i in problems(table)}
    listed = {name: sha256 for name, sha256 in before.items() if name in found or name not in unreadable}
    n_findings += print_findings([*lost, *check_records(archive, table), *check_manifest(archive, listed, found)])
    unfit = [*check_weights(archive, table), *_print_loads(archive, table)]
    n_findings += print_findings(unfit)
    bad = unreadable | {Path(finding.where).name for finding in unfit}
    sound = {name: sha256 for name, sha256 in found.items() if name not in bad}
    say(f"manifest: {write_manifest(archive, {**sound, **before}, settings.archive_cache)}")
    _print_contents(archive, table)
    return _conclude(n_findings)


def index(settings: Settings, arguments: argparse.Namespace) -> int:
    """Bring the index of an archive up to date; return 0, or 1 if records cannot be read."""
    archive = open_archive(Path(arguments.path).absolute())
    found = find_index(archive, settings.archive_cache)
    unknown = _unknown(archive, found)
    if found.is_current and not unknown:
        say(f"nothing to do: the index of {archive.path} tells of all of its {len(archive.held):,} records")
    lost = _survey(archive, unknown, found, settings)
    table = find_index(archive, settings.archive_cache).table
    _print_contents(archive, table)
    return int(print_findings([*check_strays(archive), *lost, *check_records(archive, table)]) > 0)


def convert(settings: Settings, arguments: argparse.Namespace) -> int:
    """Convert the chosen records of an archive that are not converted yet; return 0, or 1 if some cannot be read."""
    archive = open_archive(Path(arguments.path).absolute())
    out = Path(arguments.out).absolute()
    _prepare(archive, out, settings)
    into = open_archive(out, archive.space)
    indices = _chosen(archive, settings)
    damaged = problems(find_index(into, settings.archive_cache).table)
    items = [i for i in indices if i in damaged or not is_converted_from(archive, into, i)]
    n_done = len(indices) - len(items)
    done = f"; the other {n_done:,} are converted already" if n_done else ""
    say(f"converting {len(items):,} of {len(indices):,} records into {out}{done}")
    findings: list[Finding] = []
    tables: list[pa.Table] = []
    try:
        for outcome in _placed(ConvertTask(archive.path, archive.space, out), items, settings):
            made = outcome.result
            if made is not None and made.surveyed is not None and made.surveyed.table is not None:
                tables.append(made.surveyed.table)
                continue
            where = str(archive.record_path(outcome.item))
            problem = outcome.lost if made is None else made.problem
            assert problem is not None
            findings += [Finding("record", where, problem_of(where, problem))]
    finally:
        into = open_archive(out, archive.space)
        known = _add_to_index(into, tables, settings)
    findings += _survey(into, _unknown(into, known), known, settings)  # what a killed conversion left
    say(f"{out} holds {len(into.held):,} converted records")
    if print_findings(findings):
        return 1
    is_logs_only = _say_logs_only(into, find_index(into, settings.archive_cache).table)
    next_step(f"harness archive verify {out} audits it")
    if not is_logs_only:
        next_step(f"archives.{archive.space}={out} has a run read it")
    return 0


def _placed(
    task: AbstractTask[Item, Result], items: Sequence[Item], settings: Settings
) -> Iterator[Outcome[Item, Result]]:
    """Yield what comes of records, done by workers without GPUs.

    Raises:
        StoppedEarlyError: It was interrupted, or what comes of them cannot be written.
    """
    if not items:
        return
    options = replace(settings.runner, device="cpu", gpus_per_worker=0.0, measurers=0)
    n_done = 0
    try:
        with placing(options) as place, meter("records", len(items)) as progress, draining("records") as drain:
            for outcome in place(task, drain.until_requested(items), lambda item: [item]):
                progress.advance(1)
                n_done += 1
                yield outcome
    except DataError as error:
        raise StoppedEarlyError(f"{error}; what was done is kept, run again to resume") from error
    drain.require_all(n_done, len(items), "records done")


def _survey(archive: Archive, items: Sequence[ToSurvey], known: Found, settings: Settings) -> list[Finding]:
    """Survey records, write what is found into the index, also if it is killed, and return what no worker survived."""
    lost: list[Finding] = []
    index = GrowingIndex(archive, known, settings.archive_cache)
    try:
        for outcome in _placed(SurveyTask(archive.path, archive.space), items, settings):
            if outcome.result is None:
                assert outcome.lost is not None
                lost.append(Finding("record", str(archive.record_path(outcome.item.arch_index)), outcome.lost))
            elif outcome.result.table is not None:
                index.add(outcome.result.table)
    finally:
        index.write()
        if index.path is not None:
            say(f"index: {index.path}")
    return lost


def _unknown(archive: Archive, found: Found) -> list[ToSurvey]:
    """Return the records of which the index tells nothing, or only that they could not be read: rights may change."""
    known = {i for i, sha256 in hashes(found.table).items() if sha256 is not None}
    return [ToSurvey(i) for i in archive.held if i not in known]


def _add_to_index(into: Archive, new: Sequence[pa.Table], settings: Settings) -> Found:
    """Write new rows into the index of a converted archive, as others may have left it, and return it."""
    found = find_index(into, settings.archive_cache)
    table = updated(found.table, new)
    write_index(into, table, settings.archive_cache)
    return Found(table, n_changed=len(set(into.held) - set(hashes(table))))


def _prepare(archive: Archive, out: Path, settings: Settings) -> None:
    """Make the folder of a converted archive, or see that it is one of the same archive.

    Raises:
        DataError: It is something else.
    """
    if archive.is_converted:
        raise DataError(f"{archive.path} is a converted archive already")
    given = next((setting.source for setting in settings.archives if setting.space == archive.space), None)
    wanted = Description(archive.space, given or archive.source)
    if (out / DESCRIPTION_FILE).exists():
        told = read_description(out)
        if told != wanted:
            raise DataError(f"{out}: expected a converted archive of {_named(wanted)}, this is one of {_named(told)}")
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: expected a new folder, an empty one, or a converted archive to go on with")
    else:
        write_description(out, wanted)


def _named(archive: Description) -> str:
    return f"{archive.source or 'an archive without a known name'} ({archive.space})"


def _chosen(archive: Archive, settings: Settings) -> list[int]:
    """Return the architectures that ``study.archs``, ``limit`` and ``part`` choose."""
    indices = np.asarray(chosen_indices(archive, settings), dtype=np.int64)
    return cut(archive.space, indices, settings.study.limit, settings.part).tolist()


def _to_survey(archive: Archive, known: pa.Table) -> list[ToSurvey]:
    """Return all records, with their hash where the index tells that they were read and found sound."""
    damaged = problems(known)
    sound = {i: sha256 for i, sha256 in hashes(known).items() if i not in damaged}
    if sound:
        say(f"{len(sound):,} of {len(archive.held):,} records were sound when last read; they are opened if changed")
    return [ToSurvey(i, sound.get(i)) for i in archive.held]


def _print_loads(archive: Archive, table: pa.Table) -> list[Finding]:
    """Load one network of each kind, say so, and return which do not load."""
    loads = list(load_kinds(archive, table))
    if loads:
        kinds = "; ".join(f"{key} of {i}" for key, i, finding in loads if finding is None) or "none"
        say(f"networks that load their weights, one of each kind: {kinds}")
    return [finding for _, _, finding in loads if finding is not None]


def _print_contents(archive: Archive, table: pa.Table) -> None:
    """Print how much an archive holds and what is missing."""
    n_archs = len(spaces.get(archive.space))
    sizes = [archive.record_bytes(i) for i in archive.held]
    form = "converted" if archive.is_converted else "in the form of NATS-Bench"
    say(
        f"{archive.path}: {archive.source or 'name not known'}, {archive.space}, {form}: {len(sizes):,} of {n_archs:,} "
        f"records, {sum(sizes) / 1e6:,.1f} MB"
    )
    if sizes:
        smallest, middle, largest = (f"{size / 1e3:,.0f}" for size in (min(sizes), median(sizes), max(sizes)))
        say(f"sizes of records in kB: {smallest} the smallest, {middle} the median, {largest} the largest")
    missing = sorted(set(range(n_archs)) - set(archive.held))
    if missing:
        listed = ranges(missing).split(", ")
        more = f", and {len(listed) - _MOST_RANGES:,} more ranges" if len(listed) > _MOST_RANGES else ""
        say(f"missing: {len(missing):,} records: {', '.join(listed[:_MOST_RANGES])}{more}")
    runs = table.filter(pc.field("dataset").is_valid()).to_pandas()
    grouped = runs.groupby(["dataset", "hp"], sort=True)
    columns = ("dataset", "hp", "records", "runs", "with weights", "seeds")
    rows = [
        (
            *key,
            of_kind["arch_index"].nunique(),
            len(of_kind),
            int(of_kind["has_weights"].sum()),
            _seeds(of_kind["seed"]),
        )
        for key, of_kind in grouped
    ]
    print_table("training runs", columns, rows)
    _say_logs_only(archive, table)


def _say_logs_only(archive: Archive, table: pa.Table) -> bool:
    """Say of an archive of which no record holds weights that nothing in it can be evaluated; return whether it is."""
    is_logs_only = table.filter(pc.field("dataset").is_valid()).num_rows > 0 and not pairs_with_weights(table)
    if is_logs_only:
        say(f"{archive.path}: {logs_only(archive.source)}")
    return is_logs_only


def _seeds(seeds: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(set(seeds))))


def _conclude(n_findings: int, what: str = "") -> int:
    if n_findings:
        say(f"verify: {n_findings:,} violation{'s' * (n_findings > 1)}" + (f"; {what}" if what else ""))
        return 1
    say("verify: the archive is sound in all that it holds")
    return 0
