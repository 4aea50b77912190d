"""Numbers and lists as the sentences of an answer need them."""

from collections.abc import Sequence

from harness.figures.note import Note
from harness.figures.style import networks
from harness.statistics.population import Population

FEWEST = 5
"""Of fewer networks a tau says nothing."""

_ENOUGH = 100
"""Networks of a sample that show how a whole space behaves."""

SYNTHETIC = "synthetic"
"""How the names of archives begin whose networks were never trained."""


def finding(lines: Sequence[str], follows: Sequence[str], does_not: Sequence[str]) -> Note:
    """Return the text cell of an answer: what was found, what follows from it, and what does not."""
    parts = ["\n".join(f"* {line}" for line in lines)]
    parts += [f"**What follows.** {' '.join(follows)}"] if follows else []
    parts += [f"**What does not follow.** {' '.join(does_not)}"] if does_not else []
    return Note("\n\n".join(parts))


def described(population: Population) -> str:
    """Return which networks a population holds: how many, of which rule, whether they are a sample."""
    kind = "a sample of" if population.is_sample else "all"
    made_up = ". SYNTHETIC NUMBERS, for layout and speed alone" if is_synthetic(population) else ""
    return (
        f"{population.name}: {networks(len(population))}, {kind} {population.n_space:,} ({population.rule}), "
        f"numbers: {population.whose}{made_up}"
    )


def is_synthetic(population: Population) -> bool:
    """Return whether the numbers are made up: those of an archive that is called so."""
    return str(population.setting.get("source", "")).startswith(SYNTHETIC)


def few_networks(populations: Sequence[Population]) -> list[str]:
    """Return what must be said of populations too small for what a question asks."""
    small = [population for population in populations if len(population) < _ENOUGH]
    if not small:
        return []
    named = " and ".join(f"{len(population)} networks of {population.name}" for population in small)
    return [
        f"A sample of {named} cannot tell how a whole space behaves: its intervals over networks are wide, "
        "and hold where the networks were drawn at random, which those of the demo are not; a tau within them of 0 "
        "says nothing."
    ]
