"""The columns of the published tables as data: what each holds, of which images, before or after which calibrator.

A leaf, read by the schema, by import and export, and by comparisons. Two of the store's measurements share the
published names ``cwCE_em_M``: TSS files hold ``cwACE_M`` under them, SSS files ``cwCE_em_M``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.metrics import MEASUREMENTS, Measurement

PUBLISHED_CORRUPTION_SEVERITY = 3
"""Severity of the corruptions of which the published tables hold accuracies; that of the republished table."""


class Group(StrEnum):
    """Columns of the published tables that stand or lack together."""

    STUDY = "study"
    DETECTION = "detection"
    ATTACKS = "attacks"
    CORRUPTIONS = "corruptions"


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack of the robustness data set, bounded in L-infinity.

    Attributes:
        condition: Name of the condition in the store.
        published: Its name in published columns and files.
        strengths: Bounds, in 1/255 of the range of a pixel.
    """

    condition: str
    published: str
    strengths: tuple[float, ...]

    def column(self, strength: float) -> str:
        """Return the published column of a bound.

        Example:
            >>> ATTACKS[0].column(0.1)
            'fgsm_Linf_acc0_1'
        """
        return f"{self.published}_Linf_acc{strength:.1f}".replace(".", "_")


_FEW = (0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 8.0)
ATTACKS = (
    Attack("fgsm", "fgsm", (0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 255.0)),
    Attack("pgd", "pgd", _FEW),
    Attack("apgd_ce", "aa_apgd_ce", _FEW),
    Attack("square", "aa_square", _FEW),
)
CORRUPTIONS = (
    "brightness", "contrast", "defocus_blur", "elastic_transform", "fog", "frost", "gaussian_noise", "glass_blur",
    "impulse_noise", "jpeg_compression", "motion_blur", "pixelate", "shot_noise", "snow", "zoom_blur",
)  # fmt: skip
ONCE = ("acc", "correct_confidence", "incorrect_confidence")
"""Measurements whose published columns have no phase: they are of the predictions before calibration."""

PHASES: Mapping[str, str] = {"pre": "none", "post": "temperature"}
"""The calibrator of each published phase."""


@dataclass(frozen=True, slots=True)
class PublishedColumn:
    """A column of numbers of the published tables.

    Attributes:
        name: Its name.
        holds: The column of the store that it holds, by search space; spaces whose files lack it are left out.
        meaning: What it is, in words.
        unit: Unit, as in the dictionary.
        range: Smallest and largest possible value, None where there is no bound.
        group: The columns with which it stands or lacks.
        calibrator: Calibrator of the predictions.
        condition: What networks were shown.
        strength: Severity of a corruption, bound of an attack in 1/255, 0 where the condition has none.
    """

    name: str
    holds: Mapping[str, str]
    meaning: str
    unit: str = "fraction"
    range: tuple[float | None, float | None] = (0.0, 1.0)
    group: Group = Group.STUDY
    calibrator: str = "none"
    condition: str = "unshifted"
    strength: float = 0.0


def _of_measurement(name: str, published: str, calibrator: str) -> PublishedColumn:
    holders: list[Measurement] = [m for m in MEASUREMENTS if m.published == published]
    first = holders[0]
    holds = {space: holder.name for holder in holders for space in holder.published_in}
    meaning = "; ".join(f"{space}: {held}" for space, held in sorted(holds.items(), reverse=True))
    return PublishedColumn(
        name,
        holds,
        f"{meaning}, calibrator {calibrator}",
        first.unit,
        (first.lower, first.upper),
        Group.STUDY,
        calibrator,
    )


def _of_phases() -> tuple[PublishedColumn, ...]:
    names = dict.fromkeys(m.published for m in MEASUREMENTS if m.published and m.published not in ONCE)
    return tuple(
        _of_measurement(f"{phase}_{name}", name, calibrator) for name in names for phase, calibrator in PHASES.items()
    )


def _detection(name: str, condition: str, strength: float) -> PublishedColumn:
    meaning = f"ood_auroc of {condition}"
    return PublishedColumn(
        name, {"tss": "ood_auroc"}, meaning, group=Group.DETECTION, condition=condition, strength=strength
    )


def _attacked(attack: Attack, strength: float) -> PublishedColumn:
    meaning = f"accuracy under the attack {attack.condition} of at most {strength:g}/255"
    name = attack.column(strength)
    return PublishedColumn(
        name, {"tss": "acc"}, meaning, group=Group.ATTACKS, condition=attack.condition, strength=strength
    )


def _corrupted(name: str) -> PublishedColumn:
    severity = PUBLISHED_CORRUPTION_SEVERITY
    meaning = f"accuracy on images with the corruption {name} of severity {severity}"
    return PublishedColumn(
        name, {"tss": "acc"}, meaning, group=Group.CORRUPTIONS, condition=name, strength=float(severity)
    )


PUBLISHED_COLUMNS: tuple[PublishedColumn, ...] = (
    *(_of_measurement(name, name, "none") for name in ONCE),
    *_of_phases(),
    _detection("auc_cifar10c", "gaussian_noise", 5.0),
    _detection("auc_svhn", "svhn", 0.0),
    *(_attacked(attack, strength) for attack in ATTACKS for strength in attack.strengths),
    *(_corrupted(name) for name in CORRUPTIONS),
)
"""All columns of numbers, in the published order; ``arch`` stands after those of :data:`ONCE`, ``config`` before."""


def published_names(space: str) -> list[str]:
    """Return the columns of the published files of a space, in their order.

    Args:
        space: Search space.

    Example:
        >>> published_names("sss")[:5], len(published_names("tss")), len(published_names("sss"))
        (['config', 'acc', 'arch', 'pre_ECE_5', 'post_ECE_5'], 154, 75)
    """
    names = [column.name for column in PUBLISHED_COLUMNS if space in column.holds]
    once = [name for name in names if name in ONCE]
    return ["config", *once, "arch", *names[len(once) :]]
