"""Commands of the harness that are only looked at, since they would take a cluster or hours."""

from harness.cli.parser import make_parser
from harness.config import compose


def composes(words):
    """Assert that a command of the harness exists and its configuration composes; return its settings."""
    return compose(make_parser().parse_args(words).overrides)
