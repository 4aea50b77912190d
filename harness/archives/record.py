"""One record of an archive: the training runs of one architecture, checked field by field and typed.

A record's dictionaries are taken as they come from :mod:`harness.archives.restricted`, which made them safe to look at
but not true. Every refusal names the file and the field.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from harness import spaces
from harness.archives.fields import count, number, required, some
from harness.archives.standins import StoredTensor
from harness.archives.trial import Trial, TrialKey
from harness.errors import DataError, MissingTrialError
from harness.pickles import is_plain_mapping, mapping, shown

_MILLION = 1e6
# Percentages are sums of float32 terms: a perfect accuracy may exceed 100 by this much.
_ROUNDING = 1e-4


@dataclass(frozen=True, slots=True)
class Record:
    """What an archive holds of one architecture, read in one visit to its file.

    Attributes:
        path: The record file.
        arch_index: Index of the architecture in its space.
        arch_str: String of the architecture.
        info: The training runs, by (dataset, seed, hp).
        seeds: The seeds by (dataset, hp), in the order in which the record lists them.
        load: Gives the weights of a run that has some; :meth:`weights` checks that it has.
    """

    path: Path
    arch_index: int
    arch_str: str
    info: Mapping[TrialKey, Trial] = field(repr=False)
    seeds: Mapping[tuple[str, str], tuple[int, ...]] = field(repr=False)
    load: Callable[[TrialKey], OrderedDict[str, Tensor]] = field(repr=False)

    @property
    def has_weights(self) -> bool:
        """Whether it holds the weights of any of its runs."""
        return any(trial.has_weights for trial in self.info.values())

    def first_seed(self, dataset: str, hp: str) -> int:
        """Return the seed that the record lists first for a data set and budget, which the published study evaluated.

        Raises:
            MissingTrialError: The record has no trial of them.
        """
        if (dataset, hp) not in self.seeds:
            raise MissingTrialError(f"{self.path}: no trial of {dataset}, hp {hp!r}")
        return self.seeds[dataset, hp][0]

    def trial(self, dataset: str, seed: int, hp: str) -> Trial:
        """Return one training run.

        Raises:
            MissingTrialError: The record has no such run; the message says what it has.
        """
        key = TrialKey(dataset, seed, hp)
        if key not in self.info:
            raise MissingTrialError(f"{self.path}: no trial of {key}: {_absence(key, self.info)}")
        return self.info[key]

    def weights(self, dataset: str, seed: int, hp: str) -> OrderedDict[str, Tensor]:
        """Return the trained weights of one run, a state dict of CPU tensors.

        Raises:
            MissingTrialError: The record has no such run.
            DataError: It has, but its weights were stripped.
        """
        if not self.trial(dataset, seed, hp).has_weights:
            raise DataError(
                f"{self.path}: the weights of {TrialKey(dataset, seed, hp)} were stripped; they are in the archives "
                "whose names end in '-full', and even there not for the one-epoch budget '01'"
            )
        return self.load(TrialKey(dataset, seed, hp)).copy()


def parse_record(content: object, path: Path, space: spaces.AbstractSpace, arch_index: int) -> Record:
    """Return the checked record of an architecture.

    Args:
        content: What the file holds, from :func:`harness.archives.restricted.read_pickle`.
        path: The file, for messages.
        space: Search space of the archive.
        arch_index: Index that the file's name says.

    Raises:
        DataError: The file is something else, belongs to another architecture, or a field is not what it should be.
    """
    try:
        budgets = _budgets(content)
        trials: dict[TrialKey, Trial] = {}
        weights: dict[TrialKey, OrderedDict[str, Tensor]] = {}
        seeds: dict[tuple[str, str], tuple[int, ...]] = {}
        for hp, budget in budgets.items():
            check_architecture(budget, f"hp {hp}", space, arch_index)
            seeds |= {(dataset, hp): listed for dataset, listed in _seeds(budget, hp).items()}
            for key, raw in _trials(budget, hp):
                weights[key] = _weights(required(raw, "net_state_dict", str(key), object), f"{key}: net_state_dict")
                trials[key] = _trial(key, raw, space, arch_index, has_weights=bool(weights[key]))
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path}: {error}") from error
    return Record(path, arch_index, space.arch_str(arch_index), trials, seeds, weights.__getitem__)


def _absence(key: TrialKey, held: Iterable[TrialKey]) -> str:
    """Return which part of a key is absent, and what there is instead."""
    budgets = sorted({k.hp for k in held})
    if key.hp not in budgets:
        return f"it holds the budgets {_listed(budgets)}"
    datasets = sorted({k.dataset for k in held if k.hp == key.hp})
    if key.dataset not in datasets:
        return f"for hp {key.hp!r} it holds the data sets {_listed(datasets)}"
    seeds = sorted(k.seed for k in held if (k.dataset, k.hp) == (key.dataset, key.hp))
    return f"for {key.dataset}, hp {key.hp!r} it holds the seeds {_listed(seeds)}"


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(repr, names)) or "none"


def _budgets(content: object) -> dict[str, Any]:
    if is_plain_mapping(content) and "meta_archs" in mapping(content, "content"):
        raise ValueError("expected a record, this is the meta file of an archive")
    budgets = mapping(content, "expected a record by training budget; content")
    if not budgets or not all(type(hp) is str for hp in budgets):
        raise ValueError(f"expected a record with strings as training budgets, got the keys {some(budgets)}")
    return budgets


def check_architecture(budget: object, what: str, space: spaces.AbstractSpace, arch_index: int) -> None:
    """Compare what a record says of its architecture with what its file is named.

    Raises:
        ValueError: They differ; the message begins with ``what``.
    """
    arch_str = required(budget, "arch_str", what, str)
    if arch_str != space.arch_str(arch_index):
        _check_space(arch_str, what, space)  # before the index, which a file of the other space may well have
    found = required(budget, "arch_index", what, int)
    if found != arch_index:
        raise ValueError(
            f"{what}: expected architecture {arch_index}, as the file is named, it holds {found}; "
            "files were swapped or renamed"
        )
    _check_arch_str(arch_str, what, space, arch_index)


def _check_space(arch_str: str, what: str, space: spaces.AbstractSpace) -> None:
    for other in map(spaces.get, spaces.names()):
        if other is not space and arch_str in other.strings:
            raise ValueError(f"{what}: expected a record of the {space.name} space, this is one of {other.name}")


def _check_arch_str(arch_str: str, what: str, space: spaces.AbstractSpace, arch_index: int) -> None:
    if arch_str == space.arch_str(arch_index):
        return
    _check_space(arch_str, what, space)
    raise ValueError(f"{what}: expected the architecture {space.arch_str(arch_index)}, it holds {shown(arch_str)}")


def _seeds(budget: object, hp: str) -> dict[str, tuple[int, ...]]:
    """Return the seeds of a budget by data set, in the order in which the record lists them."""
    seeds = {}
    for dataset, listed in mapping(required(budget, "dataset_seed", f"hp {hp}", dict), f"hp {hp}").items():
        if type(dataset) is not str or type(listed) is not list or not listed or {type(s) for s in listed} != {int}:
            raise ValueError(f"hp {hp}: dataset_seed: expected a list of seeds by data set, got {shown(listed)}")
        seeds[dataset] = tuple(listed)
    return seeds


def _trials(budget: object, hp: str) -> list[tuple[TrialKey, dict[str, Any]]]:
    """Return the runs of a budget by their keys."""
    keyed = []
    for key, raw in mapping(required(budget, "all_results", f"hp {hp}", dict), f"hp {hp}: all_results").items():
        match key:
            case (str(dataset), int(seed)) if type(key) is tuple and type(seed) is int:
                keyed.append((TrialKey(dataset, seed, hp), mapping(raw, f"hp {hp}: {dataset}, {seed}")))
            case _:
                raise ValueError(f"hp {hp}: all_results: expected (dataset, seed) as a key, got {shown(key)}")
    return keyed


def _trial(
    key: TrialKey, raw: dict[str, Any], space: spaces.AbstractSpace, arch_index: int, *, has_weights: bool
) -> Trial:
    what = str(key)
    _check_identity(key, raw)
    config = mapping(required(raw, "arch_config", what, dict), f"{what}: arch_config")
    _check_arch_str(required(config, "arch_str", f"{what}: arch_config", str), what, space, arch_index)
    is_tss = space.name == "tss"
    epochs = count(raw, "epochs", what)
    return Trial(
        dataset=key.dataset,
        seed=key.seed,
        hp=key.hp,
        epochs=epochs,
        num_classes=count(config, "class_num", what),
        channels=count(config, "channel", what) if is_tss else None,
        cells=count(config, "num_cells", what) if is_tss else None,
        parameters=_millions(raw, "params", what),
        multiply_adds=_millions(raw, "flop", what),
        accuracies=_at_last_epoch(raw, "eval_acc1es", what, epochs, _fraction),
        losses=_at_last_epoch(raw, "eval_losses", what, epochs, number),
        train_accuracy=_fraction(_trained(raw, "train_acc1es", what, epochs), f"{what}: train_acc1es"),
        train_loss=number(_trained(raw, "train_losses", what, epochs), f"{what}: train_losses"),
        has_weights=has_weights,
    )


def _check_identity(key: TrialKey, raw: dict[str, Any]) -> None:
    """Compare what a run says of itself with the key that it is filed under; the seed is text such as ``'0777'``."""
    name, seed = required(raw, "name", str(key), str), required(raw, "seed", str(key), str)
    if name != key.dataset or not seed.isdecimal() or int(seed) != key.seed:
        raise ValueError(f"{key}: the run filed there is of {shown(name)}, seed {shown(seed)}")


def _weights(state_dict: object, what: str) -> OrderedDict[str, Tensor]:
    """Return the tensors of a state dict, none of a stripped one."""
    if state_dict is None:
        return OrderedDict()
    weights = OrderedDict()
    for name, stored in mapping(state_dict, what).items():
        if type(name) is not str or not isinstance(stored, StoredTensor):
            raise ValueError(f"{what}: expected tensors by name, got {shown(stored)} under {shown(name)}")
        weights[name] = stored.tensor
    return weights


def _fraction(value: object, what: str) -> float:
    percent = number(value, what)
    if not 0.0 <= percent <= 100.0 + _ROUNDING:
        raise ValueError(f"{what}: expected a percentage in [0, 100], got {percent}")
    return min(percent / 100.0, 1.0)


def _millions(raw: dict[str, Any], key: str, what: str) -> int:
    value = number(required(raw, key, what, object), f"{what}: {key}")
    if not (math.isfinite(value) and value >= 0.0):
        raise ValueError(f"{what}: {key}: expected a finite number of millions, got {value}")
    return round(value * _MILLION)


def _trained(raw: dict[str, Any], key: str, what: str, epochs: int) -> object:
    by_epoch = mapping(required(raw, key, what, dict), f"{what}: {key}")
    if epochs - 1 not in by_epoch:
        raise ValueError(f"{what}: {key}: expected a value of the last epoch {epochs - 1}, there is none")
    return by_epoch[epochs - 1]


def _at_last_epoch(
    raw: dict[str, Any], key: str, what: str, epochs: int, convert: Callable[[object, str], float]
) -> dict[str, float]:
    """Return the values of the last epoch by evaluation set; the keys in the file are such as ``ori-test@199``."""
    values = {}
    for name, value in mapping(required(raw, key, what, dict), f"{what}: {key}").items():
        if type(name) is not str:
            raise ValueError(f"{what}: {key}: expected names such as 'ori-test@{epochs - 1}', got {shown(name)}")
        evaluation_set, _, epoch = name.rpartition("@")
        if epoch == str(epochs - 1):
            values[evaluation_set] = convert(value, f"{what}: {key}: {name}")
    return values
