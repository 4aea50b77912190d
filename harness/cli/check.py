"""``harness check``: the first two minutes with real paths: can everything be read, and do networks do what they did?

Three records of each archive are evaluated on all test images of each data set, and compared with what the archive
recorded. Nothing is written.
"""

import argparse
import time
from collections.abc import Sequence
from typing import NamedTuple

from harness.archives import Archive, Record, Trial
from harness.cli.output import next_step, print_table, say
from harness.cli.session import archive_source, chosen_indices, open_setting, require_device
from harness.config import ArchiveSetting, Settings
from harness.datasets import UNSHIFTED, ImageSet
from harness.errors import HarnessError
from harness.runner.constants import fits
from harness.runner.inference import Inference, Model, Stage, start_model
from harness.values import ModelKey

_N_RECORDS = 3
_PROBLEMS = ("fail", "error")


class Checked(NamedTuple):
    """One line of the table: a network and how it did; empty where that could not be found out."""

    space: str
    arch_index: int
    dataset: str = ""
    hp: str = ""
    seed: str = ""
    recorded: str = ""
    recomputed: str = ""
    gate: str = "error"
    seconds: str = ""
    note: str = ""
    problem: str = ""


def check(settings: Settings, _: argparse.Namespace) -> int:
    """Print what can be read and which constants fit; return 0, or 1 if something is wrong."""
    require_device(settings.runner.device)
    problems = _check_images(settings)
    rows: list[Checked] = []
    for setting in settings.archives:
        try:
            archive = open_setting(setting, settings)
            rows += _check_archive(archive, archive_source(setting, archive), setting, settings)
        except HarnessError as error:
            problems.append(f"archives.{setting.space}: {error}")
    columns = ("space", "index", "dataset", "hp", "seed", "recorded %", "recomputed %", "gate", "seconds", "note")
    shown = [row[: len(columns)] for row in rows]
    print_table("the accuracy gate: recorded and recomputed accuracy on all test images", columns, shown)
    problems += _grouped([row for row in rows if row.gate in _PROBLEMS])
    for problem in problems:
        say(f"problem: {problem}")
    if problems:
        next_step("mend these, or leave out what is not there, such as study.datasets=[cifar10] study.spaces=[tss]")
        return 1
    say("check: everything that was tried can be read, and its networks do what their archive recorded")
    next_step(
        f"{settings.command('plan')} shows what there is to do",
        f"{settings.command('run')} does it; with limit=2 it takes two architectures of each space",
    )
    return 0


def _grouped(rows: Sequence[Checked]) -> list[str]:
    """Return what is wrong with some networks, each cause once."""
    causes: dict[str, list[str]] = {}
    for row in rows:
        where = " ".join(filter(None, (row.space, str(row.arch_index), row.dataset)))
        causes.setdefault(row.problem or row.note, []).append(where)
    return [f"{', '.join(where)}: {cause}" for cause, where in causes.items()]


def _check_images(settings: Settings) -> list[str]:
    """Print the data sets and conditions that can be read, and return what is wrong with the others."""
    library, problems = settings.library, []
    rows: list[tuple[object, ...]] = []
    for dataset in settings.study.datasets:
        for condition, severity in settings.study.conditions:
            if not library.serves(condition, dataset):
                continue
            try:
                is_test = condition == UNSHIFTED
                found = library.load(dataset, "test") if is_test else library.shifted(dataset, condition, severity)
            except HarnessError as error:
                problems.append(f"{dataset}, {condition}: {error}")
                continue
            size = "x".join(map(str, found.images.shape[-2:]))
            labels = "no" if found.labels is None else "yes"
            rows.append((dataset, condition, severity, len(found.images), size, labels, found.images_hash[:12]))
    columns = ("dataset", "condition", "severity", "images", "pixels", "labels", "SHA-256")
    print_table("data sets and conditions", columns, rows)
    return problems


def _check_archive(archive: Archive, source: str, setting: ArchiveSetting, settings: Settings) -> list[Checked]:
    """Print what an archive holds and return a row for each network of three of its records."""
    indices = chosen_indices(archive, settings)
    chosen = sorted({indices[part * (len(indices) - 1) // (_N_RECORDS - 1)] for part in range(_N_RECORDS)})
    say(
        f"{setting.space}: {archive.path} ({source}) holds {len(archive.held):,} records; "
        f"trying {', '.join(map(str, chosen))}"
    )
    rows = []
    for arch_index in chosen:
        start = time.perf_counter()
        try:
            record = archive.record(arch_index)
        except HarnessError as error:
            rows.append(Checked(setting.space, arch_index, note="see below", problem=str(error)))
            continue
        seconds = time.perf_counter() - start
        say(f"{setting.space} {arch_index}: read in {seconds:.1f} s, {_weights(record)}")
        for trial in _first_trials(record, settings):
            key = ModelKey(source, setting.space, arch_index, trial.dataset, trial.hp, trial.seed)
            rows.append(_check_network(key, record, trial, settings))
    return rows


def _weights(record: Record) -> str:
    with_weights = sum(trial.has_weights for trial in record.info.values())
    return f"{len(record.info)} trials, {with_weights} of them with weights"


def _first_trials(record: Record, settings: Settings) -> list[Trial]:
    """Return the first stored trial of each wanted data set and budget."""
    held = {(dataset, hp) for dataset, _, hp in record.info}
    wanted = [(dataset, hp) for dataset in settings.study.datasets for hp in settings.study.hps]
    pairs = [pair for pair in wanted if pair in held]
    return [record.trial(dataset, record.first_seed(dataset, hp), hp) for dataset, hp in pairs]


def _check_network(key: ModelKey, record: Record, trial: Trial, settings: Settings) -> Checked:
    """Return the row of one network: its gate, and where it does not pass the constants that come nearest."""
    start = time.perf_counter()
    row = Checked(key.space, key.arch_index, key.dataset, key.hp, str(key.seed))
    inference = Inference(settings.runner.device, settings.runner.batch_size)
    try:
        test = settings.library.load(key.dataset, "test")
        model = start_model(key, record, test, inference, Stage())
        note = _note(model, test, trial)
    except HarnessError as error:
        return row._replace(note="see below", problem=str(error))
    gate = model.gate
    return row._replace(
        recorded="" if gate.recorded_accuracy is None else f"{100 * gate.recorded_accuracy:.2f}",
        recomputed=f"{100 * gate.recomputed_accuracy:.2f}",
        gate=gate.verdict,
        seconds=f"{time.perf_counter() - start:.1f}",
        note=note,
    )


def _note(model: Model, test: ImageSet, trial: Trial) -> str:
    """Return which constants fit a network, where those of its training do not."""
    recorded = model.gate.recorded_accuracy
    if recorded is None:
        return "the archive recorded nothing to compare with"
    if model.gate.verdict == "pass":
        return "the training's constants fit"
    tried = fits(model, test, trial)
    best = min(tried, key=lambda fit: abs(fit.accuracy - recorded))
    if best.constants == tried[0].constants:
        return "no other constants come nearer: are these the images of its training?"
    return f"the constants of {best.constants} come nearest: {100 * best.accuracy:.2f} % ({best.verdict})"
