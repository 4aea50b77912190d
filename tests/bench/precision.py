"""What lower precisions do to the headline measurements: ``make precision``.

Of inferences: compares the rows that a store has in float32 with those of the same networks in other precisions. Of
stored logits: takes those of float32, rounds them as `keep_logits=float16` would, and measures both, before and after
calibration; the calibrators are fitted on the rounded logits too.
"""

import sys
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from harness import datasets
from harness.metrics.resampling import HEADLINE
from harness.runner.protocols import PROTOCOLS, AbstractProtocol
from harness.runner.stored import StoredLibrary
from harness.store import open_store
from harness.store.logits import matrix_of

SPLIT = ("random20", 42)
CALIBRATORS = ("none", "temperature")


def measured(
    protocol: AbstractProtocol, calibrator: str, logits: np.ndarray, labels: np.ndarray
) -> Mapping[str, float | None]:
    part = datasets.split(SPLIT[0], len(labels), SPLIT[1])
    fitted = protocol.calibrator(calibrator).fit(logits[part.fit], labels[part.fit])
    scored = protocol.scored(part, calibrator)
    values = protocol.measure(fitted.apply(logits[scored]), labels[scored], ["study"]).values
    return {**values, "temperature": fitted.parameters.get("temperature")}


def gaps(root: str) -> dict[tuple[str, str, str, str], list[tuple[float, float]]]:
    """The absolute and relative deviations of every measurement, by space, protocol, calibrator and measurement."""
    store = open_store(root)
    library = StoredLibrary(store.root)
    found = defaultdict(list)
    logits = store.logits(condition="unshifted", stored_as="float32").filter("precision = 'float32'")
    for row in logits.to_arrow_table().to_pylist():
        logits = matrix_of(row)
        labels = library.load(row["dataset"], "test").labels.numpy()
        for protocol in PROTOCOLS.values():
            for calibrator in CALIBRATORS:
                exact = measured(protocol, calibrator, logits.astype(np.float64), labels)
                rough = measured(protocol, calibrator, logits.astype(np.float16).astype(np.float64), labels)
                for name, value in exact.items():
                    other = rough[name]
                    if value is None or other is None:
                        continue
                    gap = abs(other - value)
                    relative = gap / abs(value) if value else (0.0 if gap == 0 else float("inf"))
                    found[row["space"], protocol.name, calibrator, name].append((gap, relative))
    return found


SHOWN = ("acc", "ECE_15", "NLL", "Brier", "KSCE", "cwCE_em_15", "HCS")


def of_inference(root: str) -> None:
    """Print how rows of other precisions differ from those of float32, and how the ranking of the networks does."""
    names = ", ".join(SHOWN)
    rows = open_store(root).sql(
        f"SELECT space, arch_index, seed, calibrator, precision, {names} FROM all_measurements "
        "WHERE protocol = 'clean' AND condition = 'unshifted' AND precision NOT LIKE '%stored%'"
    )
    table = rows.df().set_index(["precision", "calibrator", "space", "arch_index", "seed"]).sort_index()
    for precision in sorted(set(table.index.get_level_values("precision")) - {"float32"}):
        n_networks = len(table.loc[precision, "none"])
        sys.stdout.write(f"\n{precision} against float32 in the inference of {n_networks} networks, protocol clean\n")
        heads = [f"{when} {what}" for when in ("pre", "post") for what in ("median", "max", "tau")]
        sys.stdout.write(f"{'measurement':<12}" + "".join(f"{head:>12}" for head in heads) + "\n")
        for name in SHOWN:
            cells = []
            for calibrator in CALIBRATORS:
                both = [table.loc[(other, calibrator), name] for other in ("float32", precision)]
                cells += _difference(*both)
            sys.stdout.write(f"{name:<12}" + "".join(f"{cell:>12}" for cell in cells) + "\n")


def _difference(exact: pd.Series, rough: pd.Series) -> list[str]:
    gap = (rough - exact).abs()
    tau = kendalltau(exact, rough, nan_policy="omit").statistic
    return [f"{gap.median():.1e}", f"{gap.max():.1e}", f"{tau:.3f}"]


def main() -> None:
    of_inference(sys.argv[1])
    found = gaps(sys.argv[1])
    for space, protocol in sorted({key[:2] for key in found}):
        networks = len(found[space, protocol, "none", "acc"])
        sys.stdout.write(f"\n{space}, protocol {protocol}, {networks} networks; deviation of float16 from float32\n")
        heads = [f"{calibrator} {kind}" for calibrator in ("pre", "post") for kind in ("median", "max", "max abs")]
        sys.stdout.write(f"{'measurement':<22}" + "".join(f"{head:>14}" for head in heads) + "\n")
        for name in (*HEADLINE, "temperature"):
            cells = [_cells(found.get((space, protocol, calibrator, name), [])) for calibrator in CALIBRATORS]
            sys.stdout.write(f"{name:<22}" + "".join(f"{cell:>14}" for both in cells for cell in both) + "\n")


def _cells(values: list[tuple[float, float]]) -> list[str]:
    if not values:
        return ["", "", ""]
    absolute, relative = np.array(values).T
    return [f"{np.median(relative):.1e}", f"{relative.max():.1e}", f"{absolute.max():.1e}"]


if __name__ == "__main__":
    main()
