"""``harness measure`` without a file: plan as ``run`` does, and make the units of which all logits are stored."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.archives import source_name
from harness.cli.output import say
from harness.cli.plan import print_counts, print_selections
from harness.cli.run import carry_out, conclude, reading_back
from harness.cli.session import placing, selections
from harness.config import ArchiveSetting, Settings
from harness.errors import ConfigError, DataError
from harness.runner.inference import inference_of
from harness.runner.part import cut
from harness.runner.plan import Plan, make_plan
from harness.runner.provenance import new_run_id
from harness.runner.selection import Selection, arch_indices
from harness.runner.stored import StoredLibrary, choose_library
from harness.runner.work import EvaluateTask
from harness.store import open_store
from harness.store.filters import filtered
from harness.store.logits import LOSSLESS
from harness.store.reader import Store
from harness.values import Study


def measure_stored(settings: Settings, states: tuple[str, ...]) -> int:
    """Make the units in some states of which all logits are stored; return 0, or 1 if units of the plan have failed."""
    store = open_store(str(settings.store))
    stored_as = _stored_type(settings, store)
    library = choose_library(store.root, settings.study.datasets, settings.library)
    study = _servable(settings.study, library, settings)
    chosen = _selections(settings, study, store)
    plan = make_plan(study, chosen, library, store, make=states, stored_as=stored_as, only_served=True)
    print_selections(chosen, settings)
    print_counts(plan)
    say(f"{len(plan):,} units can be measured from logits stored as {stored_as}")
    _say_unserved(plan, settings)
    if len(plan):
        _make(plan, settings, store, library, stored_as)
    with reading_back(settings):
        if len(plan):
            store = open_store(str(settings.store))
            plan = make_plan(study, chosen, library, store, make=(), stored_as=stored_as)
            print_counts(plan)
        test_sets = [library.load(dataset, "test").identity for dataset in study.datasets]
        return conclude(plan, store, settings, test_sets)


def _make(plan: Plan, settings: Settings, store: Store, library: StoredLibrary, stored_as: str) -> None:
    options = replace(settings.runner, device="cpu", gpus_per_worker=0.0, measurers=0)
    inference = inference_of(options, settings.study.precision)  # never asked: every unit of the plan is served
    task = EvaluateTask(
        {}, store.root, new_run_id(), inference, library, options.threads, settings.logs, stored_as=stored_as
    )
    with placing(options) as place:
        carry_out(plan, task, settings, place, "measure")


def _stored_type(settings: Settings, store: Store) -> str:
    """Return the type of the stored logits to measure, among those of the study's precision.

    It is that of ``keep_logits``, else float32 where there are any.

    Raises:
        ConfigError: None are stored.
    """
    precision = settings.study.precision
    stored = store.sql("SELECT DISTINCT precision, stored_as FROM committed_logits").fetchall()
    found = {stored_as for of, stored_as in stored if of == precision}
    wanted = LOSSLESS if settings.keep is None else settings.keep.stored_as
    if settings.keep is None and found and wanted not in found:
        wanted = min(found)
    if wanted not in found:
        others = ", ".join(sorted({of for of, _ in stored}))
        has = f"stored as {', '.join(sorted(found))}" if found else f"of {others}"
        has = f"it has some {has}" if stored else "it has none at all"
        raise ConfigError(
            f"{settings.store} holds no logits of {precision} stored as {wanted}, {has}; {settings.command('run')} "
            f"with keep_logits={wanted} keeps those of the networks that it evaluates"
        )
    return wanted


def _servable(study: Study, library: StoredLibrary, settings: Settings) -> Study:
    """Return the part of a study of which any logits are stored, and say what is left out.

    Raises:
        ConfigError: It is nothing.
    """
    datasets = tuple(name for name in study.datasets if library.test_sets(name))
    for name in sorted(set(study.datasets) - set(datasets)):
        say(f"not measured: no logits of networks of {name} are stored")
    if not datasets:
        raise ConfigError(f"study.datasets: {settings.store} holds logits of none of {', '.join(study.datasets)}")
    conditions = tuple(c for c in study.conditions if any(library.has(name, *c) for name in datasets))
    for name, severity in sorted(set(study.conditions) - set(conditions)):
        say(f"not measured: no logits under {name}, severity {severity}, are stored")
    if not conditions:
        raise ConfigError(f"study.conditions: {settings.store} holds logits of none of those that are listed")
    return replace(study, datasets=datasets, conditions=conditions)


def _say_unserved(plan: Plan, settings: Settings) -> None:
    if plan.n_unserved:
        say(
            f"not measured: {plan.n_unserved:,} units of which not all logits are stored; {settings.command('run')} "
            "evaluates their networks"
        )


def _selections(settings: Settings, study: Study, store: Store) -> Sequence[Selection]:
    """Return what the archives can serve of the study; without them, what the stored logits can."""
    if all(_is_at_hand(setting, settings) for setting in settings.archives):
        return selections(replace(settings, study=study))
    say("the archives are not at hand: the networks are those whose logits are stored")
    found = [selection for setting in settings.archives for selection in _stored(setting, settings, study, store)]
    if not found:
        raise ConfigError(f"{settings.store} holds logits of no network that the study asks for")
    return found


def _is_at_hand(setting: ArchiveSetting, settings: Settings) -> bool:
    try:
        return settings.archive_path(setting).is_dir()
    except (ConfigError, DataError):
        return False


def _stored(setting: ArchiveSetting, settings: Settings, study: Study, store: Store) -> list[Selection]:
    """Return what the stored logits of one space can serve, source by source; of one source where it is known."""
    source = _source(setting, settings)
    models = store.logits(space=setting.space).aggregate("source, arch_index, dataset, hp, min(first_seed) AS seed")
    found = []
    for (name,) in sorted(models.project("source").distinct().fetchall()):
        if source in (None, name):
            of_source = filtered(models, {"source": name}, ["source"])
            rows = of_source.project("arch_index, dataset, hp, seed").fetchall()
            held = sorted({row[0] for row in rows})
            listed = np.asarray(arch_indices(study.archs, setting.space, held), dtype=np.int64)
            indices = cut(setting.space, listed, study.limit, settings.part)
            hps = tuple(hp for hp in study.hps if hp in {row[2] for row in rows})
            first_seeds = {(dataset, hp): seed for _, dataset, hp, seed in rows}
            found.append(Selection(name, setting.space, indices, hps, len(held), first_seeds))
    return found


def _source(setting: ArchiveSetting, settings: Settings) -> str | None:
    """Return the name of an archive as far as the settings tell it without the archive."""
    if setting.source is not None:
        return setting.source
    try:
        return source_name(settings.archive_path(setting))
    except (ConfigError, DataError):
        return None
