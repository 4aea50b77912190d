"""``harness COMMAND [overrides]``: which command, its settings, and its exit code.

0 done; 1 finished with failures or violations; 2 bad usage, configuration or input, nothing changed; 3 stopped early,
run again to resume.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb

from harness.cli.parser import Command, make_parser
from harness.errors import ConfigError, HarnessError, StoppedEarlyError

DONE, FAILURES, REFUSED, STOPPED = 0, 1, 2, 3

_SQL = re.compile(r"\s*(select|with|from|describe|show|summarize|pivot|unpivot|values)\b", re.IGNORECASE)
_FORMAT = "format="


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = make_parser()
    arguments, more = parser.parse_known_args(argv)
    if unknown := [word for word in more if word.startswith("-")]:
        parser.error(f"unknown option {', '.join(unknown)}; settings are written KEY=VALUE, such as study.archs=0-99")
    command: Command = arguments.command
    try:
        from harness.config import compose  # after the parser, which answers at once, and where it can be interrupted

        arguments.overrides = [*arguments.overrides, *more]
        return command(compose(_overrides(arguments)), arguments)
    except StoppedEarlyError as error:
        return _complain("stopped", error, STOPPED)
    except (HarnessError, OSError) as error:
        return _complain("error", error, REFUSED)
    except duckdb.Error as error:
        return _complain("error", f"the store cannot be read: {str(error).splitlines()[0]}", REFUSED)
    except KeyboardInterrupt:
        return _complain("stopped", "interrupted; what was committed is kept, run again to resume", STOPPED)


def _overrides(arguments: argparse.Namespace) -> list[str]:
    """Return the overrides; `query`, `measure` and `export` take what is theirs from among them, wherever it stands.

    Raises:
        ConfigError: There are several queries or files, or a word is neither an override nor what the command takes.
    """
    if getattr(arguments, "file", None) is not None:
        words = [arguments.file, *arguments.overrides]
        files = [word for word in words if "=" not in word or Path(word).is_file()]
        if len(files) > 1:
            raise ConfigError(f"expected one file at a time, got {', '.join(files)}")
        arguments.file = files[0] if files else None
        return [word for word in words if word not in files]
    if hasattr(arguments, "format"):
        formats = [word for word in arguments.overrides if word.startswith(_FORMAT)]
        arguments.format = formats[-1].removeprefix(_FORMAT) if formats else None
        return [word for word in arguments.overrides if word not in formats]
    if getattr(arguments, "sql", None) is None:
        return arguments.overrides
    words = [arguments.sql, *arguments.overrides]
    queries = [word for word in words if _SQL.match(word) or "=" not in word]
    if not arguments.describe and len(queries) > 1:
        raise ConfigError(f"expected one query, got {len(queries)}: {', '.join(map(repr, queries))}")
    if not arguments.describe and queries and not _SQL.match(queries[0]):
        raise ConfigError(f"expected a query, which begins with SELECT, WITH or FROM, got {queries[0]!r}")
    arguments.sql, arguments.names = next(iter(queries), None), queries
    return [word for word in words if word not in queries]


def _complain(what: str, message: object, code: int) -> int:
    sys.stderr.write(f"harness: {what}: {message}\n")
    return code
