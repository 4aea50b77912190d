"""What is wanted, from the node ``study`` of the configuration: its names must be known, and go together."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import calibrators, datasets, metrics, spaces
from harness.config.checks import require_distinct, require_known, require_positive, require_seeds, require_texts
from harness.datasets import DATASETS, UNSHIFTED, Library
from harness.errors import ConfigError
from harness.metrics.own import is_file, is_own
from harness.networks import PRECISIONS
from harness.runner.protocols import PROTOCOLS, PaperProtocol
from harness.store.schema import is_column
from harness.values import Study

_SINGLE = ("archs", "precision")  # all others are lists


def to_study(node: Mapping[str, Any], limit: int | None, library: Library) -> Study:
    """Return what is wanted.

    Args:
        node: The node ``study``, as plain lists and strings.
        limit: How many architectures of each space at most; None for all that are listed.
        library: The data sets and conditions that the user has.

    Raises:
        ConfigError: A value is not among the known ones, listed twice, or out of range, or values do not go together.
    """
    if limit is not None:
        require_positive({"limit": limit})
    lists: dict[str, Any] = {key: tuple(value) for key, value in node.items() if key not in _SINGLE}
    known: dict[str, Iterable[str]] = {
        "spaces": spaces.names(),
        "datasets": DATASETS,
        "protocols": PROTOCOLS,
        "splits": datasets.split_names(),
        "label_sets": datasets.label_set_names(),
        "calibrators": calibrators.names(),
    }
    for key, values in lists.items():
        require_texts(f"study.{key}", values)
        require_distinct(f"study.{key}", values)
    require_seeds("study.seeds", lists["seeds"])
    require_seeds("study.split_seeds", lists["split_seeds"])
    for key, names in known.items():
        require_known(f"study.{key}", lists[key], names)
    _require_served("splits", lists, datasets.splits_of)
    _require_served("label_sets", lists, datasets.label_sets_of)
    lists["families"] = _families(lists["families"])
    lists["conditions"] = _conditions(lists["conditions"], lists["datasets"], library)
    require_known("study.precision", [node["precision"]], PRECISIONS)
    study = Study(limit=limit, **lists, **{key: node[key] for key in _SINGLE})
    _check_paper(study)
    return study


def _require_served(key: str, lists: Mapping[str, Any], served: Callable[[str], Collection[str]]) -> None:
    """Refuse a split or label set that none of the listed data sets has, and a data set that has none of the listed."""
    wanted = lists["datasets"]
    for name in lists[key]:
        if not any(name in served(dataset) for dataset in wanted):
            having = ", ".join(dataset for dataset in DATASETS if name in served(dataset))
            raise ConfigError(
                f"study.{key}: {name} is for networks of {having}, none of which study.datasets lists "
                f"({', '.join(wanted)})"
            )
    for dataset in wanted:
        if not set(lists[key]) & set(served(dataset)):
            raise ConfigError(
                f"study.{key}: {dataset} has {', '.join(served(dataset))}, none of which is listed: add one, or drop "
                f"{dataset} from study.datasets"
            )


def _families(written: Sequence[str]) -> tuple[str, ...]:
    """Return the families as every process can load them: files of the user's own by their absolute path."""
    known = (
        *metrics.FAMILIES,
        metrics.REPLICATES_FAMILY.name,
        "a file ending in .py",
        "a module with a dot in its name",
    )
    require_known("study.families", [name for name in written if not is_own(name)], known)
    places = tuple(str(Path(name).absolute()) if is_file(name) else name for name in written)
    require_distinct("study.families", places)
    try:
        families = metrics.label_families(places)
    except ValueError as error:
        raise ConfigError(f"study.families: {error}") from error
    for member in families:
        taken = [name for name in member.members if is_column(name)]
        if taken and metrics.is_own_family(member):
            raise ConfigError(
                f"study.families: family {member.name}: the store has a column {taken[0]} already; give the "
                "measurement another name"
            )
    return places


def _conditions(
    written: Sequence[str], wanted_datasets: Sequence[str], library: Library
) -> tuple[tuple[str, int], ...]:
    """Return (condition, severity) of each condition as it is written: ``fog`` for all its severities, or ``fog:3``."""
    found: list[tuple[str, int]] = []
    for text in written:
        name, colon, severity = text.partition(":")
        require_known("study.conditions", [name], library.conditions)
        known = (0,) if name == UNSHIFTED else _severities(name, wanted_datasets, library)
        if colon and (known == (0,) or severity not in map(str, known)):
            has = "has no severities" if known == (0,) else f"has the severities {', '.join(map(str, known))}"
            raise ConfigError(f"study.conditions: {text!r}: {name} {has}")
        found += [(name, int(severity))] if colon else [(name, known_severity) for known_severity in known]
    require_distinct("study.conditions", tuple(found))
    return tuple(found)


def _severities(name: str, wanted_datasets: Sequence[str], library: Library) -> tuple[int, ...]:
    if name in library.image_files:
        return (0,)  # the file itself is read by the commands that need it
    condition = library.condition(name)
    if not any(map(condition.serves, wanted_datasets)):
        raise ConfigError(
            f"study.conditions: {name} is for networks of {', '.join(condition.datasets or ())}, none of which "
            f"study.datasets lists ({', '.join(wanted_datasets)})"
        )
    return condition.severities


def _check_paper(study: Study) -> None:
    split, split_seed = PaperProtocol.SPLIT
    if "paper" in study.protocols and not (
        split in study.splits and split_seed in study.split_seeds and PaperProtocol.LABEL_SET in study.label_sets
    ):
        raise ConfigError(
            f"study.protocols: paper is defined for the split {split} with seed {split_seed} and the "
            f"{PaperProtocol.LABEL_SET} labels alone: add them to study.splits, split_seeds and label_sets"
        )
    if study.protocols == ("paper",) and not set(study.calibrators) & set(calibrators.names(protocol="paper")):
        raise ConfigError(
            f"study.calibrators: paper has {', '.join(calibrators.names(protocol='paper'))}, none of which is listed"
        )
