"""What a question comes to on some networks: a figure, what follows from it and what does not, and the numbers."""

from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from harness.figures.note import Note


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer to a question.

    Attributes:
        figure: The figure, or what it lacks.
        finding: What follows from the numbers and what does not, in Markdown.
        table: The numbers.
    """

    figure: Figure | Note
    finding: Note = Note("")  # noqa: RUF009 - a frozen value
    table: pd.DataFrame = field(default_factory=pd.DataFrame)


def missing(text: str) -> Answer:
    """Return the answer where the rows that a question needs are missing: which, and what makes them."""
    return Answer(Note(text))
