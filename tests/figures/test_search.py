"""Question 12: numbers of a comparison, the noise beside them, notes where rows are missing, small populations."""

import dataclasses
import functools
import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from harness.figures import Note, search_comparison
from harness.search import ACCURACY, FRONT, HCS, RandomSearch, compare
from harness.statistics.population import PRE

few_runs = functools.partial(search_comparison, n_runs=3, n_evaluations=30)


@pytest.fixture
def populations(make):
    return [make.population(n=40), make.population(n=8, space="sss", indices=np.arange(8))]


@pytest.fixture
def answer(populations):
    return few_runs(populations)


def with_scores(population, **columns):
    """The population with other values of some measurements before calibration."""
    return dataclasses.replace(population, scores={PRE: population.scores[PRE].assign(**columns)})


def test_it_has_a_figure_a_text_and_numbers(answer):
    assert isinstance(answer.figure, Figure)
    file = io.BytesIO()
    answer.figure.savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG")
    assert "What follows" in answer.finding.text
    assert "What does not follow" in answer.finding.text
    assert "a sample of" in answer.finding.text
    assert "nan" not in answer.finding.text


def test_there_is_a_panel_for_each_population_and_objective_and_a_curve_for_each_algorithm(answer):
    assert [axes.get_title().splitlines()[-1] for axes in answer.figure.axes] == [
        "searched for acc",
        "searched for HCS",
        "searched for acc and -ECE_15",
    ] * 2
    labels = {axes.get_ylabel() for axes in answer.figure.axes}
    assert labels == {"regret (points)", "hypervolume (%)"}
    assert len(answer.figure.axes[2].get_lines()) == 4
    assert len(answer.figure.axes[0].get_lines()) == 5, "four algorithms and the noise of the images"
    (legend,) = answer.figure.legends
    assert [text.get_text() for text in legend.get_texts()][-1] == "noise of the images"


def test_its_numbers_are_those_of_the_comparison(make, answer):
    curves = compare(make.population(n=40), HCS, n_runs=3, n_evaluations=30).curves
    expected = curves[curves["evaluations"].isin([10, 20, 25, 30])].assign(measure="regret (points)")
    scores = ["mean", "low", "high", "difference", "difference low", "difference high"]
    expected[scores] *= 100
    table = answer.table[(answer.table["networks"] == "tss on cifar10") & (answer.table["objective"] == "HCS")]
    pd.testing.assert_frame_equal(
        table.drop(columns="image noise").reset_index(drop=True), expected.reset_index(drop=True)
    )
    line = expected[(expected["algorithm"] == "surrogate") & (expected["evaluations"] == 20)].iloc[0]
    assert "HCS, regret after 20 of 40 networks" in answer.finding.text
    assert f"surrogate {line['mean']:.2f} [" in answer.finding.text


def test_the_noise_is_how_far_resamples_move_the_next_best_from_the_best(make):
    population = make.population(n=40)
    values, resamples = population.values("acc"), population.of_resamples("acc")
    best = np.argsort(-values)[:11]
    spread = np.std(resamples[best[1:]] - resamples[best[0]], axis=1, ddof=1)
    table = few_runs([population], [ACCURACY, FRONT]).table
    noise = table.groupby("objective")["image noise"].first()
    assert noise["acc"] == pytest.approx(100 * np.median(spread)), "in points"
    assert np.isnan(noise["acc and -ECE_15"])


def test_without_resamples_there_is_no_noise(make):
    answer = few_runs([make.population(n=40, n_resamples=0)])
    assert answer.table["image noise"].isna().all()
    assert len(answer.figure.axes[0].get_lines()) == 4
    assert "Noise of the images" not in answer.finding.text


def test_a_single_run_has_no_intervals(make):
    answer = search_comparison([make.population(n=40)], n_runs=1, n_evaluations=10)
    assert answer.table["low"].isna().all()
    assert "nan" not in answer.finding.text


@pytest.mark.parametrize("n", [0, 1])
def test_no_networks_to_choose_from_are_a_note_that_says_what_makes_them(make, n):
    answer = few_runs([make.population(n=1) for _ in range(n)])
    assert isinstance(answer.figure, Note)
    assert "acc; HCS; acc and -ECE_15: `harness run`" in answer.figure.text
    assert answer.table.empty


def test_an_objective_that_was_not_measured_has_no_panel(make):
    population = make.population(n=30)
    scores = {PRE: population.scores[PRE].drop(columns=["HCS", "ECE_15"])}
    answer = few_runs([dataclasses.replace(population, scores=scores), make.population(n=20, dataset="cifar100")])
    assert len(answer.figure.axes) == 4
    assert set(answer.table["objective"][answer.table["networks"] == "tss on cifar10"]) == {"acc"}


def test_networks_that_are_all_alike_are_not_searched(make):
    answer = few_runs([with_scores(make.population(n=30), acc=0.5)])
    assert set(answer.table["objective"]) == {"HCS"}


def test_networks_without_a_value_are_counted(make):
    population = make.population(n=40)
    accuracy = population.values("acc").copy()
    accuracy[:3] = np.nan
    text = few_runs([with_scores(population, acc=accuracy)], [ACCURACY]).finding.text
    assert "of 37 networks, 3 networks without a value left out" in text


def test_small_tables_are_called_too_small(make, answer):
    assert "40 networks of tss on cifar10 and 8 networks of sss on cifar10 are too few" in answer.finding.text
    assert "too few" not in few_runs([make.population(n=120)], [ACCURACY]).finding.text


def test_made_up_numbers_are_called_so(make):
    made_up = dataclasses.replace(make.population(n=30), setting={"source": "synthetic-1", "hp": "200"})
    assert "SYNTHETIC" in few_runs([made_up], [ACCURACY]).finding.text


def test_a_search_of_ones_own_has_a_curve(make):
    answer = few_runs([make.population(n=30)], [ACCURACY], algorithms={"mine": RandomSearch})
    assert set(answer.table["algorithm"]) == {"random search", "mine"}
    assert "mine" in answer.finding.text


def test_the_same_networks_in_another_order_are_the_same_numbers(populations):
    turned = [each.chosen(np.random.default_rng(1).permutation(len(each))) for each in populations]
    first, second = (few_runs(each).table for each in (populations, turned))
    pd.testing.assert_frame_equal(first, second)
