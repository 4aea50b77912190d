"""Figures: a data frame of store rows in, a matplotlib figure or a table to show out. One file per question."""

from harness.figures.accuracy import error_against_accuracy
from harness.figures.pre_post import pre_against_post
from harness.figures.reliability import reliability_diagrams, reliability_of_most_accurate
from harness.figures.settings import most_complete_setting, setting_table
from harness.figures.tables import models_table

__all__ = [
    "error_against_accuracy",
    "models_table",
    "most_complete_setting",
    "pre_against_post",
    "reliability_diagrams",
    "reliability_of_most_accurate",
    "setting_table",
]
