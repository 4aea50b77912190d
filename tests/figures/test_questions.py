"""The questions: numbers by hand, published faults that are drawn beside, notes where rows are missing."""

import dataclasses
import io
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.stats import kendalltau, spearmanr

from harness.figures import (
    Note,
    agreement_of_metrics,
    calibrators_compared,
    error_and_accuracy,
    error_and_bins,
    error_and_width,
    generalisation,
    kernels,
    post_hoc,
    rank_survival,
    ranking_noise,
    robustness,
    top_networks,
    uniform_widths,
    why_metrics_agree,
)
from harness.figures.trends import tau_at_like_accuracy
from harness.statistics import confidence_gap, few_resamples_interval
from harness.statistics.population import POST, PRE

QUESTIONS = {
    "generalisation": generalisation,
    "robustness": robustness,
    "agreement": agreement_of_metrics,
    "post_hoc": post_hoc,
    "accuracy": error_and_accuracy,
    "bins": error_and_bins,
    "width": error_and_width,
    "uniform": uniform_widths,
    "kernels": kernels,
    "top": top_networks,
    "identity": why_metrics_agree,
    "noise": lambda populations: ranking_noise([populations, populations]),
    "shift": lambda populations: rank_survival(populations, {"fog:3": [*map(shifted, populations)]}),
    "calibrators": calibrators_compared,
}


def shifted(population):
    """The population with somewhat other errors, as on other images."""
    if not population.has("ECE_15"):
        return population
    errors = population.values("ECE_15") + 0.05 * np.sin(population.networks.index.to_numpy())
    return with_values(population, "ECE_15", errors)


UNIFORM = [0, 4681, 9362, 14043, 18724, 23405, 28086, 32767]


@pytest.fixture
def populations(make):
    """Both spaces on two data sets; the sizes hold the uniform ones."""
    tss = [make.population(n=40, dataset=dataset) for dataset in ("cifar10", "cifar100")]
    return [*tss, *(sizes(make, dataset) for dataset in ("cifar10", "cifar100"))]


def sizes(make, dataset="cifar10", indices=UNIFORM):
    """The networks of the size space of some indices."""
    return make.population(n=len(indices), space="sss", dataset=dataset, indices=indices)


def without_resamples(population):
    return dataclasses.replace(population, resamples={}, robust_resamples={})


def with_values(population, column, values, calibrator=PRE):
    """The population with other values of a measurement."""
    scores = {**population.scores, calibrator: population.scores[calibrator].assign(**{column: values})}
    return dataclasses.replace(population, scores=scores)


def saved(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_has_a_figure_a_text_and_numbers(populations, name):
    answer = QUESTIONS[name](populations)
    assert isinstance(answer.figure, Figure)
    assert saved(answer.figure).startswith(b"\x89PNG")
    assert not answer.table.empty
    assert "What follows" in answer.finding.text
    assert "What does not follow" in answer.finding.text
    assert "a sample of" in answer.finding.text
    for axes in answer.figure.axes:
        assert axes.get_title() or axes.get_xlabel() or axes.get_ylabel() or not axes.axison


@pytest.mark.parametrize("name", QUESTIONS)
def test_without_replicates_there_are_numbers_and_no_intervals(populations, name):
    answer = QUESTIONS[name]([without_resamples(each) for each in populations])
    assert isinstance(answer.figure, Figure)
    assert saved(answer.figure).startswith(b"\x89PNG")
    if "low (images)" in answer.table:
        assert answer.table["low (images)"].isna().all()
    assert "nan" not in answer.finding.text


@pytest.mark.parametrize("name", sorted(set(QUESTIONS) - {"top", "uniform", "calibrators"}))
def test_every_tau_has_its_intervals_over_networks_only_of_a_sample(populations, name):
    """Those of ``top`` and ``uniform`` are of single networks, those of ``calibrators`` are in its text."""
    table = QUESTIONS[name](populations).table
    whole = QUESTIONS[name]([dataclasses.replace(each, n_space=len(each)) for each in populations]).table
    ends = [column for column in table if column.startswith(("low (", "high ("))]
    assert len(ends) >= 4
    assert [column for column in whole if "(networks)" in column] == []
    assert set(whole.columns) == {column for column in table if "(networks)" not in column}
    for low in (column for column in ends if column.startswith("low")):
        high = low.replace("low", "high", 1)
        known = table[low].notna()
        assert known.any(), low
        assert (table.loc[known, low] <= table.loc[known, high]).all()
    for over in ("images", "networks"):
        known = table[next(column for column in ends if column.startswith(f"low ({over})"))].notna()
        assert known.mean() > 0.3, f"{over}: the rest is undefined, or has no interval by its nature"


def test_tau_at_like_accuracy_is_the_mean_over_tenths():
    accuracy = np.arange(100) / 100
    feature = np.tile([1.0, 2.0, 3.0, 4.0, 5.0], 20)
    measured = 10 * accuracy + np.tile([0.5, 0.4, 0.3, 0.2, 0.1], 20)  # falls with the feature, grows with accuracy
    tenths = [slice(10 * i, 10 * i + 10) for i in range(10)]
    expected = np.mean([tau(feature[tenth], measured[tenth]) for tenth in tenths])
    order = np.random.default_rng(0).permutation(100)
    found = tau_at_like_accuracy(accuracy[order], feature[order], measured[order])
    assert found == pytest.approx(expected)
    assert found < tau(feature, measured)
    assert np.isnan(tau_at_like_accuracy(accuracy[:49], feature[:49], measured[:49])), "tenths of fewer than five"


def test_a_trend_has_intervals_over_all_and_at_like_accuracy(make):
    population = make.population(n=60)
    lines = kernels([population]).table.set_index(["measurement", "among"])
    line = lines.loc["ECE_15", "all"]
    size = population.networks["kernel_parameters"].to_numpy(dtype=float)
    assert line["tau"] == pytest.approx(tau(size, population.values("ECE_15")))
    on_resamples = [tau(size, values) for values in population.of_resamples("ECE_15").T]
    expected = few_resamples_interval(np.array(line["tau"]), np.array(on_resamples))
    assert line["low (images)"] == pytest.approx(float(expected.low))
    noise = population.resample_tensor([(PRE, "acc"), (PRE, "ECE_15")])
    alike = [tau_at_like_accuracy(accuracy, size, errors) for accuracy, errors in noise.transpose(2, 1, 0)]
    line = lines.loc["ECE_15", "of like accuracy"]
    expected = few_resamples_interval(np.array(line["tau"]), np.array(alike))
    assert line["high (images)"] == pytest.approx(float(expected.high))


def test_the_accurate_ones_of_a_whole_space_are_no_sample(make):
    whole = dataclasses.replace(make.population(n=40), n_space=40)
    assert not any("(networks)" in column for column in error_and_accuracy([whole], least=0.7).table)


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_networks_are_a_note_that_says_what_makes_them(name):
    answer = QUESTIONS[name]([])
    assert isinstance(answer.figure, Note)
    assert "`harness run" in answer.figure.text
    assert answer.table.empty


@pytest.mark.parametrize("name", QUESTIONS)
def test_one_network_breaks_no_question(make, name):
    one = [make.population(n=1, dataset=dataset) for dataset in ("cifar10", "cifar100")]
    answer = QUESTIONS[name]([*one, sizes(make, indices=[0])])
    if isinstance(answer.figure, Figure):
        saved(answer.figure)
    else:
        assert "`harness run" in answer.figure.text


@pytest.mark.parametrize("name", QUESTIONS)
def test_unknown_values_break_no_question(populations, name):
    gaps = []
    for each in populations:
        scores = {calibrator: frame.copy() for calibrator, frame in each.scores.items()}
        for frame in scores.values():
            frame.iloc[:3] = np.nan
        gaps.append(dataclasses.replace(each, scores=scores))
    saved(QUESTIONS[name](gaps).figure)


@pytest.mark.parametrize("name", QUESTIONS)
def test_made_up_numbers_are_called_so(populations, name):
    made_up = [dataclasses.replace(each, setting={"source": "synthetic-1", "hp": "200"}) for each in populations]
    assert "SYNTHETIC" in QUESTIONS[name](made_up).finding.text


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_same_networks_in_another_order_are_the_same_numbers(populations, name):
    turned = [each.chosen(np.random.default_rng(1).permutation(len(each))) for each in populations]
    first, second = (QUESTIONS[name](each).table for each in (populations, turned))
    keys = list(first.select_dtypes(exclude="float").columns)
    # Intervals over networks are drawn by place; all else must not depend on it.
    free = [column for column in first.columns if "(networks)" not in column]
    pd.testing.assert_frame_equal(
        first[free].sort_values(keys, ignore_index=True), second[free].sort_values(keys, ignore_index=True)
    )


def tau(*pair):
    return np.asarray(kendalltau(*pair))[0]


def test_data_sets_are_compared_on_the_networks_of_both_joined_by_architecture(make):
    first = make.population(n=60).chosen(np.arange(50))
    second = make.population(n=60, dataset="cifar100").chosen(np.arange(10, 60)[::-1])
    shared = first.networks.index[10:]
    table = generalisation([first, second]).table
    whole = table[table["networks"] == "all"].iloc[0]
    assert whole["n"] == len(shared) == 40
    both = [each.scores[PRE]["ECE_15"].loc[shared] for each in (first, second)]
    assert whole["tau"] == pytest.approx(tau(*both))


def test_the_union_of_the_most_accurate_is_that_of_each_data_set(make):
    n = 400
    first = make.population(n=n, n_resamples=0)
    accuracy = first.values("acc")
    second = with_values(dataclasses.replace(first, dataset="cifar100"), "acc", 1 - accuracy)
    table = generalisation([first, second]).table
    published = table[table["networks"] == "union of the 100 most accurate"].iloc[0]
    assert published["n"] == 200  # the best hundred of one are the worst hundred of the other
    extreme = np.argsort(np.argsort(accuracy))
    chosen = (extreme < 100) | (extreme >= n - 100)
    errors = first.values("ECE_15")[chosen]
    assert published["tau"] == pytest.approx(tau(errors, errors)) == pytest.approx(1)


def test_two_spaces_are_never_compared_with_one_another(make):
    answer = generalisation([make.population(), sizes(make)])
    assert "No two networks of one search space that have ECE_15" in answer.figure.text


def test_data_sets_without_a_common_network_are_not_compared(make):
    first, second = (
        make.population().chosen(np.arange(20)),
        make.population(dataset="cifar100").chosen(np.arange(20, 40)),
    )
    assert isinstance(generalisation([first, second]).figure, Note)


def test_robustness_is_over_the_true_most_accurate(make):
    population = make.population(n=100, n_resamples=0)
    # Among the most accurate ten fog ranks against ECE, over the rest with it.
    error, fog = population.values("ECE_15"), population.values("ECE_15").copy()
    best = np.argsort(population.values("acc"))[-10:]
    fog[best] = -fog[best]
    population = dataclasses.replace(population, robust=pd.DataFrame({"fog:3": fog}, index=population.networks.index))
    table = robustness([population]).table
    assert table["most accurate"].iloc[0] == 10
    assert table["tau"].iloc[0] == pytest.approx(-1)
    assert table["most accurate"].iloc[-1] == 100
    assert table["tau"].iloc[-1] == pytest.approx(tau(fog, error))


def test_the_published_fault_takes_the_least_accurate(make):
    population = make.population(n=100, n_resamples=0)
    error, fog = population.values("ECE_15"), population.values("ECE_15").copy()
    best = np.argsort(population.values("acc"))[-10:]
    fog[best] = -fog[best]
    population = dataclasses.replace(population, robust=pd.DataFrame({"fog:3": fog}, index=population.networks.index))
    answer = robustness([population], as_published=[population])
    right, faulty = answer.figure.axes[:2]
    assert "least accurate" in faulty.get_xlabel()
    assert "faulty, as published" in faulty.get_title()
    first_of = [axes.get_lines()[0].get_ydata()[0] for axes in (right, faulty)]
    assert first_of == pytest.approx([-1, 1])
    last_of = [axes.get_lines()[0].get_ydata()[-1] for axes in (right, faulty)]
    assert last_of[0] == pytest.approx(last_of[1]) == pytest.approx(tau(fog, error))
    assert "ascending order" in answer.finding.text


def test_conditions_can_be_named(make):
    table = robustness([make.population()], conditions=["made_contrast:5"]).table
    assert set(table["condition"]) == {"made_contrast:5"}


def test_agreement_of_metrics_is_that_of_each_pair(make):
    population = make.population(n=30)
    table = agreement_of_metrics([population]).table
    assert len(table) == 8 * 7 / 2
    line = table[(table["first"] == "ECE_15") & (table["second"] == "KDECE")].iloc[0]
    assert line["tau"] == pytest.approx(tau(population.values("ECE_15"), population.values("KDECE")))
    assert line["low (images)"] < line["high (images)"]
    assert line["low (networks)"] < line["high (networks)"]


def test_a_whole_space_has_no_interval_over_networks(make):
    population = dataclasses.replace(make.population(n=30), n_space=30)
    answer = agreement_of_metrics([population])
    assert "low (networks)" not in answer.table
    assert "all 30" in answer.finding.text


def test_pairs_at_the_noise_ceiling_are_counted(make):
    same = make.population(n=30, noise=0.0, n_resamples=20)
    text = agreement_of_metrics([same]).finding.text
    assert "Of 28 pairs 28 have an interval that reaches the agreement of one of the two with itself" in text
    other = with_values(same, "KSCE", np.random.default_rng(3).permutation(same.values("KSCE")))
    resamples = {**other.resamples, (PRE, "KSCE"): np.repeat(other.values("KSCE")[:, None], 20, axis=1)}
    text = agreement_of_metrics([dataclasses.replace(other, resamples=resamples)]).finding.text
    assert "Of 28 pairs 21 have" in text


def test_networks_whose_error_is_the_gap_of_confidence_are_counted(make):
    population = make.population(n=10)
    accuracy = population.values("acc")
    # Mean confidence is accuracy + 0.1 for the first six, which is their ECE; the others' ECE is more than that.
    population = with_values(population, "correct_confidence", accuracy + 0.1)
    population = with_values(population, "incorrect_confidence", accuracy + 0.1)
    population = with_values(population, "ECE_15", np.where(np.arange(10) < 6, 0.1, 0.2))
    assert "So it is for 6 of 10 networks of tss on cifar10" in agreement_of_metrics([population]).finding.text
    # Of a network that is always right nothing is known about confidences where it is wrong, and nothing is needed.
    always = np.where(np.arange(10) == 0, 1.0, accuracy)
    population = with_values(population, "acc", always)
    population = with_values(population, "correct_confidence", np.where(np.arange(10) == 0, 0.9, accuracy + 0.1))
    population = with_values(population, "incorrect_confidence", np.where(np.arange(10) == 0, np.nan, accuracy + 0.1))
    assert "So it is for 6 of 10 networks of tss on cifar10" in agreement_of_metrics([population]).finding.text


def test_before_and_after_are_joined_by_network(make):
    population = make.population(n=50)
    table = post_hoc([population]).table
    assert len(table) == 18 * 17 / 2
    line = table[(table["first"] == "pre 15") & (table["second"] == "post 15")].iloc[0]
    assert line["tau"] == pytest.approx(1)


def test_the_published_fault_joins_by_place(make):
    answer = post_hoc([make.population(n=50)], as_published=True)
    right, faulty = answer.figure.axes[:2]
    places = [i * 18 + j for i in range(9) for j in range(9, 18)]
    block = [np.asarray(axes.get_images()[0].get_array()).ravel()[places] for axes in (right, faulty)]
    assert block[0].min() > 0.5
    assert np.abs(block[1]).max() < 0.5
    assert "joined by place" in faulty.get_title()


def test_accuracy_and_error_of_all_and_of_the_accurate(make):
    population = make.population(n=100, n_resamples=0)
    answer = error_and_accuracy([population], least=0.7)
    accuracy, error = population.values("acc"), population.values("ECE_15")
    chosen = accuracy >= 0.7
    assert answer.table["n"].tolist() == [100, chosen.sum()]
    assert answer.table["tau"].tolist() == pytest.approx([tau(accuracy, error), tau(accuracy[chosen], error[chosen])])
    drawn = [axes.collections[0].get_offsets().data for axes in answer.figure.axes[:2]]
    assert [len(points) for points in drawn] == [100, chosen.sum()]
    assert np.allclose(sorted(drawn[0][:, 0]), sorted(100 * accuracy))


def test_where_few_are_accurate_the_better_half_is_taken(make):
    answer = error_and_accuracy([make.population(n=20)], least=0.99)
    assert answer.table["n"].tolist() == [20, 10]


def test_the_colour_is_the_detection_that_was_published_or_asked_for(make):
    population = make.population()
    detection = population.detection.assign(ood_uniform=0.5)
    both = dataclasses.replace(population, detection=detection)
    assert error_and_accuracy([both]).figure.axes[-1].get_ylabel() == "AUROC (%) of svhn"
    assert error_and_accuracy([both], detected="ood_uniform").figure.axes[-1].get_ylabel() == "AUROC (%) of ood_uniform"


def test_boxes_hold_the_quartiles_of_every_number_of_bins(make):
    population = make.population(n=41)
    table = error_and_bins([population]).table
    assert len(table) == 18
    line = table[(table["phase"] == "before calibration") & (table["bins"] == 100)].iloc[0]
    quartiles = np.percentile(100 * population.values("ECE_100"), [25, 50, 75])
    assert line[["25 %", "median", "75 %"]].tolist() == pytest.approx(quartiles.tolist())
    assert line["tau with 15 bins"] == pytest.approx(tau(population.values("ECE_15"), population.values("ECE_100")))


def test_the_published_fault_shows_another_data_set_after_calibration(make):
    here, there = make.population(), make.population(dataset="ImageNet16-120")
    there = with_values(there, "ECE_15", there.values("ECE_15", POST) + 0.5, POST)
    answer = error_and_bins([here], published_after=[there])
    titles = [axes.get_title() for axes in answer.figure.axes]
    assert "faulty, as published: before cifar10,\nafter ImageNet16-120" in titles
    assert answer.figure.axes[1].get_ylim()[1] > 50 > answer.figure.axes[0].get_ylim()[1]


def test_uniform_widths_are_those_equal_throughout(make):
    table = uniform_widths([sizes(make, indices=[0, 1, 4681, 32767])]).table
    assert table["width"].unique().tolist() == [8, 16, 64]
    answer = uniform_widths([sizes(make, indices=[1, 2])])
    assert "equally wide throughout" in answer.figure.text


def test_total_width_is_the_sum(make):
    population = sizes(make)
    answer = error_and_width([population])
    assert "The black line" not in answer.finding.text, "eight networks have none"
    line = answer.table.iloc[0]
    widths = np.arange(8, 72, 8) * 5
    assert line["tau"] == pytest.approx(tau(widths, population.values("ECE_15")))


def test_kernel_parameters_count_live_edges_and_the_published_axis_all(make):
    answer = kernels([make.population(n=60)], as_published=True)
    assert "The black line, of ten networks or more, is the median of networks of like kernel" in answer.finding.text
    right, faulty = answer.figure.axes[0], answer.figure.axes[3]
    population = make.population(n=60)
    count = {"nor_conv_3x3": 9, "nor_conv_1x1": 1}
    rows = list(population.networks.itertuples())
    live = [
        sum(count.get(name, 0) for name, is_live in zip(row.operations, row.live_edges, strict=True) if is_live)
        for row in rows
    ]
    whole = [100 * sum(count.get(name, 0) for name in row.operations) for row in rows]
    assert right.collections[0].get_offsets().data[:, 0].tolist() == live
    assert faulty.collections[0].get_offsets().data[:, 0].tolist() == whole
    assert "times 100" in faulty.get_xlabel()


def test_the_top_are_the_highest_scores_in_order(make):
    population = make.population(n=40)
    table = top_networks([population], 5).table
    best = population.scores[PRE]["HCS"].nlargest(5)
    assert table["index"].tolist() == best.index.tolist()
    assert table["HCS"].tolist() == best.tolist()
    assert table["rank"].tolist() == [1, 2, 3, 4, 5]


def test_a_list_of_rows_with_copies_counts_the_distinct(make):
    population = make.population(n=40)
    best = population.scores[PRE]["HCS"].nlargest(20).index
    copies = population.networks["representative"].replace({best[0]: best[1], best[2]: best[1]})
    rows = dataclasses.replace(population, networks=population.networks.assign(representative=copies))
    assert "holds 18 distinct networks" in top_networks([population], as_published=[rows]).finding.text


def gap_of(population):
    return confidence_gap(*map(population.values, ("acc", "correct_confidence", "incorrect_confidence")))


def numbers_of(table, measurement):
    return table[table["measurement"] == measurement].set_index("number")["value"]


def test_the_gap_is_that_of_mean_confidence_and_accuracy(make):
    population = make.population(n=3)
    population = with_values(population, "acc", [0.5, 1.0, 0.0])
    population = with_values(population, "correct_confidence", [0.9, 0.8, np.nan])
    population = with_values(population, "incorrect_confidence", [0.7, np.nan, 0.3])
    assert gap_of(population).tolist() == pytest.approx([0.5 * 0.9 + 0.5 * 0.7 - 0.5, 0.2, 0.3])


def test_a_measurement_that_is_the_gap_is_explained_by_it_and_nothing_is_left(make):
    population = make.population(n=30)
    gap = gap_of(population)
    population = with_values(with_values(population, "ECE_15", gap), "KSCE", 2 * gap)
    answer = why_metrics_agree([population])
    line = numbers_of(answer.table, "ECE_15")
    assert line["explained by the gap (%)"] == pytest.approx(100)
    assert line["tau with |confidence - accuracy|"] == pytest.approx(1)
    assert np.isnan(line["without the gap"])
    partial = np.ma.filled(answer.figure.axes[1].get_images()[0].get_array(), np.nan)
    assert np.isnan(partial[0]).all()


def test_agreement_with_the_parts_of_a_proper_score(make):
    population = make.population(n=30)
    line = numbers_of(why_metrics_agree([population]).table, "ECE_15")
    refinement = population.values("Brier_top") - population.values("Brier_top_miscalibration")
    assert line["tau with miscalibration"] == pytest.approx(1)
    assert line["tau with refinement"] == pytest.approx(tau(population.values("ECE_15"), refinement))
    lines = why_metrics_agree([population]).table.set_index(["measurement", "number"])
    explained = lines.loc["KSCE", "explained by the gap (%)"]
    gap = gap_of(population)
    assert explained["value"] == pytest.approx(100 * spearmanr(population.values("KSCE"), gap).statistic ** 2)
    names = ("acc", "correct_confidence", "incorrect_confidence", "KSCE")
    noise = population.resample_tensor([(PRE, name) for name in names]).transpose(2, 1, 0)
    on_resamples = [100 * spearmanr(errors, confidence_gap(*others)).statistic ** 2 for *others, errors in noise]
    expected = few_resamples_interval(np.array(explained["value"]), np.array(on_resamples))
    assert explained["low (images)"] == pytest.approx(float(expected.low))
    unmeasured = with_values(population, "Brier_top_miscalibration", np.nan)
    assert "study.families=[study,replicates,decomposition]" in why_metrics_agree([unmeasured]).finding.text


def test_noise_of_images_seeds_and_isomorphs_by_hand(make):
    first = make.population(n=40)
    other = with_values(first, "ECE_15", first.values("ECE_15")[::-1]).chosen(np.arange(30))
    copies = first.networks["representative"].to_numpy().copy()
    copies[20:] = copies[:20]  # twenty classes of two
    first = dataclasses.replace(first, networks=first.networks.assign(representative=copies))
    table = ranking_noise([[first], [other]]).table
    found = table[table["measurement"] == "ECE_15"].set_index("source")
    errors = first.values("ECE_15")
    assert found.loc["other seed", "tau"] == pytest.approx(tau(errors[:30], other.values("ECE_15")))
    assert found.loc["other seed", "n"] == 30
    assert found.loc["other isomorph", "tau"] == pytest.approx(tau(errors[:20], errors[20:]))
    assert found.loc["other isomorph", "n"] == 20
    resamples = first.of_resamples("ECE_15")
    neighbours = [tau(resamples[:, i], resamples[:, i + 1]) for i in range(19)]
    assert found.loc["other images", "tau"] == pytest.approx(np.mean(neighbours))
    assert np.isnan(found.loc["other images", "low (images)"])
    there = other.of_resamples("ECE_15")
    on_resamples = np.array([tau(resamples[:30, i], there[:, i]) for i in range(20)])
    expected = few_resamples_interval(np.array(found.loc["other seed", "tau"]), on_resamples)
    assert found.loc["other seed", "low (images)"] == pytest.approx(float(expected.low))
    on_resamples = np.array([tau(resamples[:20, i], resamples[20:, i]) for i in range(20)])
    expected = few_resamples_interval(np.array(found.loc["other isomorph", "tau"]), on_resamples)
    assert found.loc["other isomorph", "high (images)"] == pytest.approx(float(expected.high))


def test_what_noise_is_not_known_is_said_and_has_no_place_in_the_figure(make):
    answer = ranking_noise([[make.population()]])
    assert "Nothing is known of other isomorph of tss on cifar10, other seed of tss on cifar10, for want of" in (
        answer.finding.text
    )
    (legend,) = answer.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["other images"]


def test_no_interval_of_noise_is_cut(make):
    first = make.population(n=8)
    shuffled = np.random.default_rng(0).permuted(first.of_resamples("ECE_15"), axis=0)
    second = dataclasses.replace(first, resamples={**first.resamples, (PRE, "ECE_15"): shuffled})
    answer = ranking_noise([[first], [second]])
    (axes,) = answer.figure.axes
    assert answer.table["high (images)"].max() > 1, "a case that could be cut"
    assert axes.get_ylim()[1] > answer.table["high (images)"].max()
    assert axes.get_ylim()[0] <= min(0, answer.table["low (images)"].min())


def test_survival_is_joined_by_network_and_of_the_same_place(make):
    here = make.population(n=40)
    there = with_values(here, "ECE_15", 1 - here.values("ECE_15")).chosen(np.arange(10, 40)[::-1])
    elsewhere = make.population(n=40, dataset="cifar100")
    table = rank_survival([here], {"fog:3": [elsewhere, there], "svhn": [elsewhere]}).table
    (line,) = table.to_dict("records")
    assert (line["on"], line["n"]) == ("fog:3", 30)
    assert line["tau"] == pytest.approx(-1)
    assert line["median there"] == pytest.approx(100 * np.median(there.values("ECE_15")))
    assert line["ceiling"] == pytest.approx(line["ceiling there"], abs=0.2)


def test_corrected_labels_have_no_interval(make):
    here = make.population(n=20)
    table = rank_survival([here], {"labels errors_removed": [here]}).table
    assert table["tau"].tolist() == pytest.approx([1])
    assert table["low (images)"].isna().all()


def test_what_calibrators_gain_has_intervals_in_the_text(make):
    sample = make.population(n=40)
    before, after = (sample.values("ECE_15", calibrator) for calibrator in (PRE, POST))
    expected = tau(before - after, sample.values("acc"))
    line = rf"tau of accuracy and what is taken off ECE_15: temperature {expected:.2f} \[.*\]"
    text = calibrators_compared([sample], "ECE_15").finding.text
    assert re.search(rf"{line} \(over networks \[.*\]\)", text), text
    text = calibrators_compared([dataclasses.replace(sample, n_space=40)], "ECE_15").finding.text
    assert re.search(line, text)
    assert "over networks [" not in text


def test_the_best_calibrator_of_each_network_is_counted(make):
    population = make.population(n=9)
    before = population.values("NLL")
    better = np.where(np.arange(9) < 6, before / 2, before * 2)
    population = dataclasses.replace(
        population, scores={PRE: population.scores[PRE], POST: population.scores[POST].assign(NLL=better)}
    )
    table = calibrators_compared([population]).table.set_index("calibrator")
    assert table.loc[POST, "best for (%)"] == pytest.approx(100 * 6 / 9)
    assert table.loc[PRE, "best for (%)"] == pytest.approx(100 * 3 / 9)
    assert table.loc[POST, "worse than none (%)"] == pytest.approx(100 * 3 / 9)
    assert table.loc[PRE, "median"] == pytest.approx(np.median(before))


def test_a_measurement_without_resamples_leaves_the_others_their_intervals(make):
    population = make.population(n=40)
    resamples = {key: values for key, values in population.resamples.items() if key != (PRE, "cwACE_15")}
    table = why_metrics_agree([dataclasses.replace(population, resamples=resamples)]).table
    known = table[table["number"] == "tau with NLL"].set_index("measurement")["low (images)"].notna()
    assert not known.pop("cwACE_15")
    assert known.all()


def test_the_number_of_networks_is_that_of_those_that_are_compared(make):
    population = make.population(n=40)
    few = with_values(population, "KSCE", np.where(np.arange(40) < 10, population.values("KSCE"), np.nan))
    assert set(why_metrics_agree([few]).table["n"]) == {10}


def test_gains_of_a_handful_of_networks_are_not_told(make):
    population = make.population(n=40)
    few = with_values(population, "NLL", np.where(np.arange(40) < 4, 0.1, np.nan), POST)
    answer = calibrators_compared([few])
    assert "is taken off NLL" not in answer.finding.text
    assert np.isnan(answer.table.set_index("calibrator").loc["temperature", "tau of gain and accuracy"])
    some = with_values(population, "NLL", np.where(np.arange(40) < 20, population.values("NLL", POST), np.nan), POST)
    assert re.search(r"is taken off NLL: temperature .* of 20 networks", calibrators_compared([some]).finding.text)


def test_seeds_that_share_too_few_networks_do_not_hide_the_others(make):
    first, second = make.population(n=40), make.population(n=40)
    third = first.chosen(np.arange(3))
    table = ranking_noise([[first], [second], [third]]).table
    assert table[table["source"] == "other seed"]["n"].tolist() == [40] * 6


def test_robustness_without_accuracies_is_missing(make):
    population = with_values(make.population(n=10), "acc", np.nan)
    assert "`harness run" in robustness([population]).figure.text
