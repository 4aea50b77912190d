"""Items are tried as often as asked, then halved; what could be a culprit comes last and alone."""

from harness.runner.cluster.attempts import Attempt, Attempts


def halve(numbers):
    return [numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]] if len(numbers) > 1 else [numbers]


def attempts(*items, most=2):
    return Attempts(iter(items), halve, most)


def test_items_come_in_order_and_are_pulled_as_they_are_needed():
    pulled = []

    def items():
        for item in ([1], [2], [3]):
            pulled.append(item)
            yield item

    queue = Attempts(items(), halve, 2)
    assert queue.next(alone=False) == Attempt([1])
    assert pulled == [[1]]
    assert [queue.next(alone=False) for _ in range(3)] == [Attempt([2]), Attempt([3]), None]


def test_what_a_worker_died_on_comes_before_what_is_fresh_and_is_halved_after_the_last_attempt():
    queue = attempts([1, 2, 3], [4], most=2)
    assert queue.take_back(queue.next(alone=True))
    assert queue.next(alone=False) == Attempt([1, 2, 3], deaths=1)
    assert queue.take_back(Attempt([1, 2, 3], deaths=1))
    assert queue.next(alone=False) == Attempt([1])
    assert queue.next(alone=False) == Attempt([2, 3])
    assert queue.next(alone=False) == Attempt([4])


def test_the_last_attempt_of_what_cannot_be_halved_is_made_alone():
    queue = attempts([1], [2], most=2)
    first = queue.next(alone=True)
    assert queue.take_back(first)
    assert queue.next(alone=False) == Attempt([2])
    assert queue.next(alone=False) is None
    suspect = queue.next(alone=True)
    assert suspect == Attempt([1], deaths=1)
    assert not queue.take_back(suspect)
    assert queue.next(alone=True) is None
