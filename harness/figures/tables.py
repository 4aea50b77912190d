"""Tables to show: one row per network, rounded for reading."""

import pandas as pd

from harness.figures.pre_post import MODEL, joined


def models_table(rows: pd.DataFrame, models: pd.DataFrame) -> pd.DataFrame:
    """Return one row per network, the most accurate first: accuracy, ECE before and after, temperature, gate.

    Args:
        rows: Measurement rows of one protocol, condition, split and label set, before and after temperature scaling.
        models: The store's models.
    """
    pre = rows[rows["calibrator"] == "none"].set_index(MODEL)
    post = rows[rows["calibrator"] == "temperature"].set_index(MODEL)
    ece = joined(rows, "ECE_15").set_index(MODEL)
    table = pd.DataFrame(
        {
            "accuracy (%)": 100 * pre["acc"],
            "ECE_15 before": 100 * ece["pre"],
            "ECE_15 after": 100 * ece["post"],
            "NLL before": pre["NLL"],
            "NLL after": post["NLL"],
            "temperature": post["temperature"],
            "gate": models.set_index(MODEL)["gate"],
            "architecture": models.set_index(MODEL)["arch_str"],
        }
    ).reset_index()
    shown = table.sort_values("accuracy (%)", ascending=False).drop(columns=["source"])
    return shown.rename(columns={"arch_index": "index"}).round(3).reset_index(drop=True)
