"""``harness COMMAND [overrides]``: which command, its settings, and its exit code.

0 done; 1 finished with failures or violations; 2 bad usage, configuration or input, nothing changed; 3 stopped early,
run again to resume.
"""

import argparse
import math
import re
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import duckdb

from harness.cli import (
    archive,
    check,
    compare,
    export,
    imports,
    measure,
    plan,
    query,
    report,
    run,
    status,
    store,
    verify,
    zoo,
)
from harness.cli.only import add_only
from harness.config import Settings, compose
from harness.errors import ConfigError, HarnessError, StoppedEarlyError

DONE, FAILURES, REFUSED, STOPPED = 0, 1, 2, 3

_SQL = re.compile(r"\s*(select|with|from|describe|show|summarize|pivot|unpivot|values)\b", re.IGNORECASE)
_FORMAT = "format="
_OVERRIDES = "Hydra overrides, such as study.archs=0-99 or runner=local; conf/config.yaml explains every key"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    arguments, more = parser.parse_known_args(argv)
    if unknown := [word for word in more if word.startswith("-")]:
        parser.error(f"unknown option {', '.join(unknown)}")
    command: Callable[[Settings, argparse.Namespace], int] = arguments.command
    try:
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="harness", description="Evaluate NAS search spaces; see README.md.")
    parser.add_argument("--version", action="version", version=f"harness {version('nas-calibration-harness')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(commands, "check", check.check, "try the given paths: read everything, evaluate three records of each archive")
    _add(commands, "plan", plan.plan, "show what is wanted, done, missing and failed")
    _add(commands, "run", run.run, "make what is missing; again resumes")
    retry_parser = _add(commands, "retry", run.retry, "make what has failed once more")
    retry_parser.add_argument("--absent", action="store_true", help="also look again for what the archive did not hold")
    status_parser = _add(commands, "status", status.status, "show what the store holds, failures and live workers")
    how = status_parser.add_mutually_exclusive_group()
    how.add_argument("--watch", action="store_true", help="show the runs at work, again and again until they end")
    how.add_argument("--json", action="store_true", help="print one JSON document instead; docs/store.md has its keys")
    status_parser.add_argument("--every", metavar="SECONDS", type=_seconds, default=5.0, help="between two looks (5)")
    verify_parser = _add(commands, "verify", verify.verify, "prove that the store is sound, and say what is missing")
    verify_parser.add_argument("--clean", action="store_true", help="first remove what killed writers left behind")
    measure_parser = commands.add_parser("measure", help="make what is missing from stored logits; or measure an .npz")
    measure_parser.add_argument(
        "file", nargs="?", metavar="FILE.npz", help="your own predictions: probs (images, classes), labels (images,)"
    )
    measure_parser.add_argument("--retry", action="store_true", help="also what has failed before")
    measure_parser.add_argument("overrides", nargs="*", default=[], metavar="OVERRIDE", help=_OVERRIDES)
    measure_parser.set_defaults(command=measure.measure)
    query_parser = commands.add_parser("query", help="ask the store in SQL; print the answer or write it to a file")
    query_parser.add_argument("sql", nargs="?", metavar="SQL", help="a query over measurements, models, failures, runs")
    query_parser.add_argument("overrides", nargs="*", default=[], metavar="OVERRIDE", help=_OVERRIDES)
    query_parser.add_argument("--out", metavar="FILE", help="write the answer to FILE.csv or FILE.parquet")
    query_parser.add_argument(
        "--describe", action="store_true", help="explain the columns instead: all, or those named"
    )
    query_parser.set_defaults(names=[], command=query.query)
    _add_store(commands)
    _add_archive(commands)
    _add_import(commands)
    _add_export(commands)
    _add_compare(commands)
    report_parser = _add(commands, "report", report.report, "execute the notebooks of analysis/ and build the site")
    report_parser.add_argument(
        "--whose", default="clean", help="whose numbers: clean, paper, or the origin of an imported table (clean)"
    )
    zoo_parser = _add(commands, "zoo", zoo.train, "train the zoo: `harness zoo train`", word="train")
    zoo_parser.add_argument("--diverged", action="store_true", help="also train again what diverged before")
    zoo_parser.description = "Train the zoo of the `zoo` node of the configuration, as NATS-Bench archives."
    return parser


def _add_store(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "merge another store into one, prune rows that nobody reads"
    actions = commands.add_parser("store", help=summary, description=summary).add_subparsers(
        metavar="ACTION", required=True
    )
    merge_parser = actions.add_parser("merge", help="take the files of one store into another")
    merge_parser.add_argument("source", metavar="FROM", help="folder of the store to take from; it is not changed")
    merge_parser.add_argument("target", metavar="INTO", help="folder of the store to take into; made if there is none")
    merge_parser.add_argument("overrides", nargs="*", default=[], metavar="OVERRIDE", help=_OVERRIDES)
    merge_parser.set_defaults(command=store.merge)
    prune_parser = _add(
        actions, "prune", store.prune, "list rows of other inputs than the study's, and superseded ones"
    )
    prune_parser.add_argument("--yes", action="store_true", help="remove them; without it they are only listed")
    prune_parser.add_argument("--dry-run", action="store_true", help="only list them, whatever else is said")


def _add_archive(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "verify, index or convert an archive as it was downloaded"
    actions = commands.add_parser("archive", help=summary, description=summary).add_subparsers(
        metavar="ACTION", required=True
    )
    verify_parser = _add_archive_action(actions, "verify", archive.verify, "read everything, name each fault and gap")
    verify_parser.add_argument(
        "--all", action="store_true", help="also open records that were sound and have not changed"
    )
    _add_archive_action(actions, "index", archive.index, "make the table of what each record holds, or renew it")
    convert_help = "convert chosen records to safetensors, bit by bit the same; again resumes"
    _add_archive_action(actions, "convert", archive.convert, convert_help, out=True)


def _add_import(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "take other people's tables into the store, apart from your own rows"
    actions = commands.add_parser("import", help=summary, description=summary).add_subparsers(
        metavar="ACTION", required=True
    )
    summary = "the six tables of the published study: a folder of CSV files, or one of them"
    published_parser = _add_import_action(actions, "published", imports.published, summary)
    published_parser.add_argument("--partial", action="store_true", help="take files that lack architectures")
    summary = "accuracies under attacks and corruptions: attack_acc.csv, corruption_acc.csv, or the data set's JSON"
    _add_import_action(actions, "robustness", imports.robustness, summary)


def _add_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "write your own rows for others: format=paper, the published tables, or format=release, a data set"
    parser = _add(commands, "export", export.export, summary)
    parser.add_argument("--out", metavar="FOLDER", help="the folder to make")
    parser.set_defaults(format="none")
    add_only(parser)


def _add_compare(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "show how two stores, protocols or imported tables differ"
    parser = commands.add_parser("compare", help=summary, description=summary)
    meaning = "clean, paper, an imported table, or a store; STORE:paper and the like for those of another store"
    parser.add_argument("first", metavar="A", help=meaning)
    parser.add_argument("second", metavar="B", help="the same; differences are B minus A")
    parser.add_argument("--all", action="store_true", help="all measurements, not only those of 15 bins")
    parser.add_argument("--out", metavar="FILE.csv", help="also write the lines to a file")
    add_only(parser)
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help=_OVERRIDES)
    parser.set_defaults(command=compare.compare_sides)


def _add_import_action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    function: Callable[[Settings, argparse.Namespace], int],
    summary: str,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=summary)
    parser.add_argument("path", metavar="PATH", help="the folder, or a file")
    parser.add_argument("--origin", metavar="NAME", default=name, help=f"name by which you will ask for it ({name})")
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help=_OVERRIDES)
    parser.set_defaults(command=function)
    return parser


def _add_archive_action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    function: Callable[[Settings, argparse.Namespace], int],
    summary: str,
    *,
    out: bool = False,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=summary)
    parser.add_argument("path", metavar="PATH", help="folder of the archive")
    if out:
        parser.add_argument("out", metavar="OUT", help="folder of the converted archive; made if there is none")
    parser.add_argument("overrides", nargs="*", default=[], metavar="OVERRIDE", help=_OVERRIDES)
    parser.set_defaults(command=function)
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds > 0):
        raise argparse.ArgumentTypeError(f"expected a positive number of seconds, got {text}")
    return seconds


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
    parser.add_argument("overrides", nargs="*", default=[], metavar="OVERRIDE", help=_OVERRIDES)
    parser.set_defaults(command=function)
    return parser
