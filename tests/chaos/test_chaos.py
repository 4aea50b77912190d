"""`make chaos` with a few kills: the stores end as if undisturbed."""

import pytest


@pytest.mark.slow
def test_a_store_ends_as_if_nobody_had_been_killed(make):
    done = make("chaos", "ARGS=--kills 3 --seed 19")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 19, 3 kills\n" in done.stdout
    assert "as undisturbed after 3 kills" in done.stdout
