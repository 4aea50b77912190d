"""What the units of every setting must hold: rows with their fingerprints, families, and the inferences behind them."""

from typing import NamedTuple

from harness.datasets import AbstractLibrary
from harness.metrics import OOD_FAMILY, Family, label_families
from harness.runner.inference import Shown
from harness.runner.scoring import Scene, scene
from harness.runner.stored import precision_of
from harness.store.logits import LOSSLESS
from harness.values import Study, WantedRow, unit_fingerprint


class Setting(NamedTuple):
    """What tells the units of one network apart, and by which the wanted ones are listed: columns of the store."""

    dataset: str
    protocol: str
    condition: str
    severity: int


class Wanted(NamedTuple):
    """What a unit of some setting must hold.

    Attributes:
        rows: Its rows.
        families: The families to measure in them, sorted by name.
        inferences: What its rows are computed from, sorted.
        test_set: Identity of the test images on which its gate stands.
    """

    rows: tuple[WantedRow, ...]
    families: tuple[Family, ...]
    inferences: tuple[Shown, ...]
    test_set: str

    @property
    def tags(self) -> tuple[str, ...]:
        """Names and versions of the families, as the store records them."""
        return tuple(member.tag for member in self.families)

    @property
    def fingerprint(self) -> str:
        """The fingerprint of such a unit."""
        return unit_fingerprint((row.fingerprint for row in self.rows), self.tags)


def wanted_settings(study: Study, library: AbstractLibrary, stored_as: str = LOSSLESS) -> dict[Setting, Wanted]:
    """Return what the units of every setting of a study must hold.

    A condition that does not serve a data set makes no setting, nor does one of whose rows there can be none.

    Args:
        study: What is wanted.
        library: The data sets and conditions.
        stored_as: Type of the stored logits that rows may be made from.
    """
    precision = precision_of(study.precision, stored_as)
    settings = {
        Setting(dataset, name, condition, severity): _wanted(
            study, scene(library, name, dataset, condition, severity), precision
        )
        for dataset in study.datasets
        for name in study.protocols
        for condition, severity in study.conditions
        if library.serves(condition, dataset)
    }
    return {setting: wanted for setting, wanted in settings.items() if wanted.rows}


def _wanted(study: Study, scene: Scene, precision: str) -> Wanted:
    shifted = scene.shifted
    rows = tuple(WantedRow(variant, scene.fingerprint(variant, precision)) for variant in scene.variants(study))
    of_labels = label_families(study.families) if shifted is None or shifted.labels is not None else ()
    of_shift = () if shifted is None else (OOD_FAMILY,)
    families = tuple(sorted((*of_labels, *of_shift), key=lambda member: member.name))
    inferences = {shown for row in rows for shown in scene.inferences(row.variant.calibrator)}
    return Wanted(rows, families, tuple(sorted(inferences)), scene.test.identity)
