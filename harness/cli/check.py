"""``harness check``: the first two minutes with real paths: can everything be read, and do networks do what they did?

Three records of each archive are evaluated on all test images of each data set, and compared with what the archive
recorded. Nothing is written.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from harness.archives import Archive, Record, Trial, archive_with_weights
from harness.cli.output import next_step, print_table, say
from harness.cli.session import archive_source, chosen_indices, open_setting, require_device
from harness.config import ArchiveSetting, Settings
from harness.datasets import UNSHIFTED, ImageSet, label_sets_of, splits_of
from harness.errors import HarnessError
from harness.runner.constants import fits
from harness.runner.inference import inference_of
from harness.runner.model import Model, Stage, start_model
from harness.runner.protocols import PROTOCOLS
from harness.values import ModelKey, Study, Variant

_N_RECORDS = 3
_PROBLEMS = ("fail", "error")
_MOST_NAMED = 4
_LATER = "its conditions, splits and label sets are looked for when these are there"
_NO_WEIGHTS = "the record has logs and no weights: nothing can be evaluated"


class Problem(NamedTuple):
    """What is wrong, and with what."""

    where: str
    cause: str


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

    def as_problem(self) -> Problem:
        """Return what is wrong with it."""
        where = " ".join(filter(None, (self.space, str(self.arch_index), self.dataset)))
        return Problem(where, self.problem or self.note)


def check(settings: Settings, _: argparse.Namespace) -> int:
    """Print what can be read and which constants fit; return 0, or 1 if something is wrong."""
    require_device(settings.runner.device)
    readable, of_images = _check_images(settings)
    of_images += _check_choices(settings)
    rows: list[Checked] = []
    problems: list[Problem] = []
    for setting in settings.archives:
        try:
            archive = open_setting(setting, settings)
            rows += _check_archive(archive, archive_source(setting, archive), setting, settings)
        except HarnessError as error:
            key = f"archives.{setting.space}"
            problems.append(Problem(key, str(error).removeprefix(f"{key}: ")))
    columns = ("space", "index", "dataset", "hp", "seed", "recorded %", "recomputed %", "gate", "seconds", "note")
    shown = [row[: len(columns)] for row in rows]
    _print_if_any("the accuracy gate: recorded and recomputed accuracy on all test images", columns, shown)
    problems += [row.as_problem() for row in rows if row.gate in _PROBLEMS] + of_images
    for line in _grouped(problems):
        say(f"problem: {line}")
    if problems:
        next_step(_what_to_mend(readable, settings.study.datasets))
        return 1
    say("check: everything that was tried can be read, and its networks do what their archive recorded")
    next_step(
        f"{settings.command('plan')} shows what there is to do",
        f"{settings.command('run')} does it"
        + ("; with limit=2 it takes two architectures of each space" if settings.study.limit is None else ""),
    )
    return 0


def _what_to_mend(readable: Sequence[str], wanted: Sequence[str]) -> str:
    """Return what to do about problems, given the data sets of which everything can be read."""
    left = "" if len(readable) == len(wanted) else "; docs/data_sets.md lists where files are from"
    if 0 < len(readable) < len(wanted):
        left = f"; study.datasets=[{','.join(readable)}] can be read{left}"
    return f"mend these, or leave out what is not there{left}"


def _grouped(problems: Sequence[Problem]) -> list[str]:
    """Return each cause once, with what it concerns."""
    causes: dict[str, list[str]] = {}
    for where, cause in problems:
        causes.setdefault(cause, []).append(where)
    return [f"{_some(where)}: {cause}" for cause, where in causes.items()]


def _some(names: Sequence[str]) -> str:
    """Return names in words, the first of many.

    Example:
        >>> _some(["a", "b", "c"]), _some(list("abcdef"))
        ('a, b, c', 'a, b, c, d and 2 more')
    """
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(names[:_MOST_NAMED])}{more}"


def _print_if_any(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        print_table(title, columns, rows)


def _check_images(settings: Settings) -> tuple[list[str], list[Problem]]:
    """Print what can be read of data sets and conditions; return the data sets of which all can, and what cannot."""
    library, problems, readable = settings.library, list[Problem](), list[str]()
    rows: list[tuple[object, ...]] = []
    for dataset in settings.study.datasets:
        n_before = len(problems)
        try:
            library.load(dataset, "test")
        except HarnessError as error:
            problems.append(Problem(f"{dataset} test images", f"{error}; {_LATER}"))
            continue
        for condition, severity in settings.study.conditions:
            if not library.serves(condition, dataset):
                continue
            try:
                is_test = condition == UNSHIFTED
                found = library.load(dataset, "test") if is_test else library.shifted(dataset, condition, severity)
            except HarnessError as error:
                problems.append(Problem(f"{dataset} {condition}", str(error)))
                continue
            size = "x".join(map(str, found.images.shape[-2:]))
            labels = "no" if found.labels is None else "yes"
            rows.append((dataset, condition, severity, len(found.images), size, labels, found.images_hash[:12]))
        readable += [dataset] if len(problems) == n_before else []
    columns = ("dataset", "condition", "severity", "images", "pixels", "labels", "SHA-256")
    _print_if_any("data sets and conditions", columns, rows)
    return readable, problems


def _check_choices(settings: Settings) -> list[Problem]:
    """Print on how many images calibrators are fitted and rows are scored, and return which files cannot be read."""
    library, problems = settings.library, list[Problem]()
    rows: list[tuple[object, ...]] = []
    for dataset, variant in _choices(settings.study):
        try:
            test = library.load(dataset, "test")
        except HarnessError:
            continue  # said above
        try:
            part = library.choices.split(variant.split, variant.split_seed, dataset, test)
            labels = library.choices.label_set(variant.label_set, dataset, test)
        except HarnessError as error:
            problems.append(Problem(f"{dataset} {variant.split} {variant.label_set}", str(error)))
            continue
        counts = labels.counts[part.evaluation]
        n_changed = int((labels.labels != test.labels.numpy())[part.evaluation][counts].sum())
        choice = (dataset, variant.split, variant.split_seed, variant.label_set)
        rows.append((*choice, len(part.fit), int(counts.sum()), int((~counts).sum()), n_changed))
    columns = ("dataset", "split", "split_seed", "label_set", "fitted on", "scored", "removed", "relabelled")
    title = "test images: how many are fitted on and scored, removed before that, and scored with another label"
    _print_if_any(title, columns, rows)
    return problems


def _choices(study: Study) -> list[tuple[str, Variant]]:
    """Return every data set of a study with each of its splits and label sets."""
    variants = PROTOCOLS["clean"].variants(replace(study, calibrators=study.calibrators[:1]))
    return [
        (dataset, variant)
        for dataset in study.datasets
        for variant in variants
        if variant.split in splits_of(dataset) and variant.label_set in label_sets_of(dataset)
    ]


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
    if not trial.has_weights:
        accuracy = trial.recorded.accuracy
        recorded = "" if accuracy is None else f"{100 * accuracy:.2f}"
        return row._replace(
            recorded=recorded, note="no weights", problem=f"{_NO_WEIGHTS}; {archive_with_weights(key.source)}"
        )
    inference = inference_of(settings.runner, settings.study.precision)
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
