"""What a measurement returns where its definition gives no number, so that it can never pass for 0 or NaN."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Undefined:
    """A measurement that does not exist for these predictions.

    Attributes:
        reason: Why, as a sentence fragment that the store keeps beside the null.
    """

    reason: str

    def __post_init__(self) -> None:
        if not isinstance(self.reason, str) or not self.reason:
            raise ValueError(f"Undefined: expected the reason as a text, got {self.reason!r}")
