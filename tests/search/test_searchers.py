"""Every search: invariants; each of them on landscapes whose way is known."""

import numpy as np
import pytest

from harness.search import (
    ACCURACY,
    ALGORITHMS,
    FRONT,
    Benchmark,
    LocalSearch,
    RandomSearch,
    RegularisedEvolution,
    SurrogateSearch,
    compare,
    run_search,
)


def run(benchmark, factory, n, seed=0):
    return run_search(benchmark, factory, np.random.default_rng(seed), n).tolist()


class Steps:
    """A search that is asked and told by hand, on a table that is looked up."""

    def __init__(self, factory, benchmark, seed=0):
        self.values = benchmark.values
        self.search = factory(benchmark.candidates, np.random.default_rng(seed))

    def step(self):
        place = self.search.ask()
        self.search.tell(place, self.values[place])
        return place


@pytest.fixture(scope="module")
def linear(make):
    return Benchmark.of(make.linear(), ACCURACY)


@pytest.fixture(scope="module")
def front(make):
    return Benchmark.of(make.linear(120), FRONT)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_each_asks_for_every_network_once(front, name):
    assert sorted(run(front, ALGORITHMS[name], len(front))) == list(range(len(front)))


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_each_works_on_a_handful_of_networks(make, name, n):
    assert sorted(run(make.benchmark(np.linspace(0, 1, n)), ALGORITHMS[name], n)) == list(range(n))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_each_works_where_all_networks_are_alike(make, name):
    assert sorted(run(make.benchmark(np.full(30, 0.5)), ALGORITHMS[name], 30)) == list(range(30))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_same_seed_is_the_same_run_and_another_another(front, name):
    first, again, other = (run(front, ALGORITHMS[name], 60, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", ALGORITHMS)
def test_each_begins_with_the_network_that_random_search_begins_with(linear, name):
    assert run(linear, ALGORITHMS[name], 1) == run(linear, RandomSearch, 1)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_each_knows_no_value_that_it_was_not_told(linear, name):
    """Two tables that differ in the networks not asked for lead to the same run."""
    asked = run(linear, ALGORITHMS[name], 60)
    values = np.full_like(linear.values, 7.0)
    values[asked] = linear.values[asked]
    other = Benchmark(linear.name, linear.objective, linear.candidates, values, 0)
    assert run(other, ALGORITHMS[name], 60) == asked


def test_random_search_asks_for_all_orders_alike(make):
    benchmark = make.benchmark([0.1, 0.2, 0.3])
    firsts = [run(benchmark, RandomSearch, 1, seed)[0] for seed in range(300)]
    assert np.bincount(firsts).min() > 70


def test_local_search_climbs_a_ridge(make):
    """Widths of the last block alone: all are neighbours, so each step asks for another until the best is reached."""
    benchmark = make.benchmark(np.arange(8.0))
    steps = Steps(LocalSearch, benchmark)
    standing = steps.step()
    while standing < 7:
        place = steps.step()
        standing = max(standing, place)
    assert standing == 7


def test_local_search_goes_on_around_the_first_better_neighbour(make):
    # A grid of the last two widths: its corner 63 is the best, and better networks lie nearer to it.
    benchmark = make.benchmark([i // 8 + i % 8 for i in range(64)])
    codes = benchmark.candidates.encodings
    steps = Steps(LocalSearch, benchmark, seed=3)
    standing = steps.step()
    for _ in range(25):
        if standing == 63:
            break
        place = steps.step()
        assert (codes[place] != codes[standing]).sum() == 1
        if benchmark.values[place] > benchmark.values[standing]:
            standing = place
    assert standing == 63


def test_local_search_starts_elsewhere_once_all_neighbours_are_worse(make):
    # 0 to 7 are neighbours of one another, and so are 9 with 1 and 18 with neither: 18 can be started from alone.
    indices = [*range(8), 18]
    benchmark = make.benchmark([8.0, *range(7), 9.0], indices=indices)
    for seed in range(20):
        steps = Steps(LocalSearch, benchmark, seed)
        asked = [steps.step() for _ in range(9)]
        assert sorted(asked) == list(range(9))
        if asked[0] == 0:
            assert asked[-1] == 8, "every neighbour of the peak is asked for before the start elsewhere"


def test_local_search_walks_from_where_it_started_elsewhere(make):
    """Two families of eight neighbours and six networks without any: a family is asked for in one go."""
    indices = [*range(8), *range(72, 80), *range(144, 576, 72)]
    benchmark = make.benchmark([*np.arange(108.0, 100.0, -1), *range(10, 18), *range(6)], indices=indices)
    for seed in range(20):
        steps = Steps(LocalSearch, benchmark, seed)
        asked = [steps.step() for _ in range(22)]
        for family in (range(8), range(8, 16)):
            when = sorted(asked.index(place) for place in family)
            assert when[-1] - when[0] == 7


def test_evolution_breeds_neighbours_of_members(linear):
    steps = Steps(lambda candidates, rng: RegularisedEvolution(candidates, rng, n_population=10, n_sample=3), linear)
    for _ in range(10):
        steps.step()
    n_children = 0
    for _ in range(60):
        members = steps.search.population
        place = steps.step()
        n_children += any(place in linear.candidates.neighbours(member) for member in members)
    assert n_children > 50


def test_evolution_forgets_the_oldest_however_good_it_is(make):
    benchmark = make.benchmark(np.arange(40.0)[::-1])
    steps = Steps(lambda candidates, rng: RegularisedEvolution(candidates, rng, n_population=4, n_sample=2), benchmark)
    asked = []
    for _ in range(20):
        asked.append(steps.step())
        assert steps.search.population == asked[-4:]


def test_evolution_with_all_of_the_population_as_sample_breeds_from_the_best(make):
    benchmark = make.benchmark(np.arange(64.0))
    steps = Steps(lambda candidates, rng: RegularisedEvolution(candidates, rng, n_population=5, n_sample=5), benchmark)
    for _ in range(5):
        steps.step()
    best = max(steps.search.population)
    assert steps.step() in benchmark.candidates.neighbours(best)


@pytest.mark.parametrize(("n_population", "n_sample"), [(5, 6), (5, 0)])
def test_a_sample_that_a_population_cannot_give_is_refused(linear, n_population, n_sample):
    with pytest.raises(ValueError, match="n_sample: expected 1 to n_population = 5"):
        RegularisedEvolution(linear.candidates, np.random.default_rng(0), n_population=n_population, n_sample=n_sample)


def test_the_surrogate_finds_the_best_of_a_linear_landscape_soon(make):
    found = compare(make.linear(), n_evaluations=60, n_runs=10)
    assert found.mean("surrogate").mean[-1] == 0
    assert found.mean("random search").mean[-1] > 0.01
    mean, low, high = (part[-1] for part in found.difference("surrogate"))
    assert low <= mean <= high < 0


def test_the_surrogate_knows_that_widths_are_ordered(make):
    indices = np.arange(0, 32768, 41)
    widths = np.array([(index // 8 ** np.arange(5) % 8).sum() for index in indices])
    found = compare(make.table(widths, indices=indices), n_evaluations=40, n_runs=5)
    assert found.mean("surrogate").mean[-1] < 0.5 * found.mean("random search").mean[-1]


def test_the_surrogate_proposes_no_network_twice_between_fits(linear):
    steps = Steps(lambda candidates, rng: SurrogateSearch(candidates, rng, n_start=4, n_between=50), linear)
    asked = [steps.step() for _ in range(160)]
    assert len(set(asked)) == 160


@pytest.mark.parametrize(("n_start", "n_between"), [(1, 5), (5, 0)])
def test_a_surrogate_that_could_not_be_fitted_is_refused(linear, n_start, n_between):
    with pytest.raises(ValueError, match="n_start, n_between: expected at least 2 and 1"):
        SurrogateSearch(linear.candidates, np.random.default_rng(0), n_start=n_start, n_between=n_between)


@pytest.mark.parametrize("objective", [ACCURACY, FRONT], ids=lambda each: each.measure)
def test_each_is_better_than_random_search_where_neighbours_are_alike(make, objective):
    """All sizes whose first width is the least: accuracy rises with some widths, the error with others."""
    widths = np.arange(4096)[:, None] // 8 ** np.arange(4) % 8
    table = make.table(widths @ [1.0, 2.0, 3.0, 0.5], ECE_15=widths @ [1.0, 0.0, 2.0, 3.0])
    found = compare(table, objective, n_evaluations=100, n_runs=20)
    for name in found.scores:
        if name != "random search":
            _, low, high = (part[-1] for part in found.difference(name))
            assert high < 0 if objective == ACCURACY else low > 0, name
