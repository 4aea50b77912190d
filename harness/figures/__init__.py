"""Figures: a data frame of store rows in, a matplotlib figure or a table to show out. One file per question.

Where the rows that a figure needs are missing, it is a :class:`Note` that says how to get them.
"""

from harness.figures.accuracy import error_against_accuracy
from harness.figures.bin_sizes import error_over_bin_sizes
from harness.figures.note import Note
from harness.figures.ood import DETECTION_COLUMNS, ood_against_accuracy, ood_detection, ood_table
from harness.figures.pre_post import pre_against_post
from harness.figures.protocols import paper_against_clean
from harness.figures.quantity import columns_at_bin_counts
from harness.figures.reliability import Network, notable_networks, reliability_diagrams
from harness.figures.settings import most_complete_setting, setting_table
from harness.figures.tables import models_table, styled

__all__ = [
    "DETECTION_COLUMNS",
    "Network",
    "Note",
    "columns_at_bin_counts",
    "error_against_accuracy",
    "error_over_bin_sizes",
    "models_table",
    "most_complete_setting",
    "notable_networks",
    "ood_against_accuracy",
    "ood_detection",
    "ood_table",
    "paper_against_clean",
    "pre_against_post",
    "reliability_diagrams",
    "setting_table",
    "styled",
]
