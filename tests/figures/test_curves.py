"""Curves over the number of networks: where the ticks of their axes are."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from harness.figures.curves import draw_curve


@pytest.mark.parametrize(
    ("sizes", "ticks"),
    [
        ([8], ["8"]),
        ([10, 12, 14], ["10", "14"]),
        ([10, 15, 22], ["10", "20"]),
        ([10, 100, 900], ["10", "20", "50", "100", "200", "500"]),
        ([10, 100, 1000, 6466], ["10", "100", "1,000"]),
    ],
)
def test_ticks_are_whole_numbers_of_networks_each_once(sizes, ticks):
    figure, axes = plt.subplots()
    draw_curve(axes, sizes, np.zeros((len(sizes), 3)), "label", "black")
    low, high = axes.get_xlim()
    shown = [label.get_text() for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high]
    plt.close(figure)
    assert shown == ticks
