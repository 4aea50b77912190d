"""``harness COMMAND [overrides]``: which command, its settings, and its exit code.

0 done; 1 finished with failures or violations; 2 bad usage, configuration or input, nothing changed; 3 stopped early,
run again to resume.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version

from harness.cli import check, measure, plan, query, report, run, status, verify, zoo
from harness.config import Settings, compose
from harness.errors import HarnessError, StoppedEarlyError

DONE, FAILURES, REFUSED, STOPPED = 0, 1, 2, 3

_SQL = re.compile(r"\s*(select|with|from|describe|show|summarize|pivot|unpivot|values)\b", re.IGNORECASE)
_OVERRIDES = "Hydra overrides, such as study.archs=0-99 or runner=local; conf/config.yaml explains every key"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    arguments, more = parser.parse_known_args(argv)
    if unknown := [word for word in more if word.startswith("-")]:
        parser.error(f"unknown option {', '.join(unknown)}")
    command: Callable[[Settings, argparse.Namespace], int] = arguments.command
    try:
        return command(compose([*_overrides(arguments), *more]), arguments)
    except StoppedEarlyError as error:
        return _complain("stopped", error, STOPPED)
    except HarnessError as error:
        return _complain("error", error, REFUSED)
    except OSError as error:
        return _complain("error", error, REFUSED)
    except KeyboardInterrupt:
        return _complain("stopped", "interrupted; what was committed is kept, run again to resume", STOPPED)


def _overrides(arguments: argparse.Namespace) -> list[str]:
    """Return the overrides; `query` takes its SQL from among them, wherever it stands."""
    if getattr(arguments, "sql", None) is None:
        return arguments.overrides
    words = [arguments.sql, *arguments.overrides]
    queries = [word for word in words if _SQL.match(word)]
    arguments.sql = queries[0] if queries else None
    return [word for word in words if word is not arguments.sql]


def _complain(what: str, message: object, code: int) -> int:
    sys.stderr.write(f"harness: {what}: {message}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="harness", description="Evaluate NAS search spaces; see README.md.")
    parser.add_argument("--version", action="version", version=f"harness {version('nas-calibration-harness')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(commands, "check", check.check, "try the given paths: read everything, evaluate three records of each archive")
    _add(commands, "plan", plan.plan, "show what is wanted, done, missing and failed")
    _add(commands, "run", run.run, "make what is missing; again resumes")
    retry_parser = _add(commands, "retry", run.retry, "make what has failed once more")
    retry_parser.add_argument("--absent", action="store_true", help="also look again for what the archive did not hold")
    _add(commands, "status", status.status, "show what the store holds, failures and live workers")
    verify_parser = _add(commands, "verify", verify.verify, "prove that the store is sound and complete")
    verify_parser.add_argument("--clean", action="store_true", help="first remove what killed writers left behind")
    measure_parser = commands.add_parser("measure", help="measure your own predictions: an .npz of probs and labels")
    measure_parser.add_argument("file", metavar="FILE.npz", help="arrays probs (images, classes) and labels (images,)")
    measure_parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help=_OVERRIDES)
    measure_parser.set_defaults(command=measure.measure)
    query_parser = commands.add_parser("query", help="ask the store in SQL; print the answer or write it to a file")
    query_parser.add_argument("sql", nargs="?", metavar="SQL", help="a query over measurements, models, failures, runs")
    query_parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help=_OVERRIDES)
    query_parser.add_argument("--out", metavar="FILE", help="write the answer to FILE.csv or FILE.parquet")
    query_parser.add_argument("--describe", action="store_true", help="print the columns of measurements instead")
    query_parser.set_defaults(command=query.query)
    _add(commands, "report", report.report, "execute the notebook of analysis/ and build the page")
    zoo_parser = _add(commands, "zoo", zoo.train, "train the zoo: `harness zoo train`", word="train")
    zoo_parser.description = "Train the zoo of the `zoo` node of the configuration, as NATS-Bench archives."
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    function: Callable[[Settings, argparse.Namespace], int],
    summary: str,
    *,
    word: str | None = None,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary)
    if word is not None:
        parser.add_argument("action", choices=[word])
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help=_OVERRIDES)
    parser.set_defaults(command=function)
    return parser
