"""What stands in place of a figure that cannot be drawn: why, and which command makes the rows that it needs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence in Markdown, which a notebook shows as text."""

    text: str

    def _repr_markdown_(self) -> str:
        return self.text
