"""Figures: rows of a store in, a matplotlib figure or a table to show out. One file per question.

The questions of the published study, in files ``q1_`` to ``q7_``, and further ones are asked of populations of networks
and give an :class:`Answer`: figure, text and table. The other files are of the overview and take data frames of
measurement rows. Where the rows that a figure needs are missing, it is a :class:`Note` that says how to get them.
"""

from harness.figures.answer import Answer
from harness.figures.cells import cell_figure
from harness.figures.note import Note
from harness.figures.ood import DETECTION_COLUMNS, ood_against_accuracy, ood_detection, ood_table
from harness.figures.pre_post import pre_against_post
from harness.figures.protocols import paper_against_clean
from harness.figures.q1_generalisation import generalisation
from harness.figures.q2_robustness import robustness
from harness.figures.q3_agreement import METRICS, agreement_of_metrics
from harness.figures.q4_post_hoc import post_hoc
from harness.figures.q5_accuracy import error_and_accuracy
from harness.figures.q6_bins import error_and_bins
from harness.figures.q7_kernels import kernels
from harness.figures.q7_top import top_networks
from harness.figures.q7_widths import error_and_width, uniform_widths
from harness.figures.q8_identity import IDENTITY_COLUMNS, why_metrics_agree
from harness.figures.q9_noise import NOISE_COLUMNS, ranking_noise
from harness.figures.q10_shift import rank_survival
from harness.figures.q11_calibrators import calibrators_compared
from harness.figures.q12_search import search_comparison
from harness.figures.quantity import columns_at_bin_counts
from harness.figures.reliability import Network, notable_networks, reliability_diagrams
from harness.figures.settings import most_complete_setting, setting_table
from harness.figures.tables import styled

__all__ = [
    "DETECTION_COLUMNS",
    "IDENTITY_COLUMNS",
    "METRICS",
    "NOISE_COLUMNS",
    "Answer",
    "Network",
    "Note",
    "agreement_of_metrics",
    "calibrators_compared",
    "cell_figure",
    "columns_at_bin_counts",
    "error_and_accuracy",
    "error_and_bins",
    "error_and_width",
    "generalisation",
    "kernels",
    "most_complete_setting",
    "notable_networks",
    "ood_against_accuracy",
    "ood_detection",
    "ood_table",
    "paper_against_clean",
    "post_hoc",
    "pre_against_post",
    "rank_survival",
    "ranking_noise",
    "reliability_diagrams",
    "robustness",
    "search_comparison",
    "setting_table",
    "styled",
    "top_networks",
    "uniform_widths",
    "why_metrics_agree",
]
