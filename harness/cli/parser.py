"""The words of every command; what carries a command out is imported when it is called for."""

import argparse
import math
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any, TypeAlias

Command: TypeAlias = Callable[[Any, argparse.Namespace], int]
"""What carries a command out: of its settings and of the words that are no overrides it makes an exit code."""

ONLY_COLUMNS = (
    "source", "space", "arch_index", "dataset", "hp", "seed", "split", "split_seed", "label_set", "precision",
    "fingerprint",
)  # fmt: skip
"""The columns of ``--only``."""

_OVERRIDES = "Hydra overrides, such as study.archs=0-99 or runner=local; conf/config.yaml explains every key"


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; ``command`` of what it parses is the function that carries one out."""
    parser = argparse.ArgumentParser(prog="harness", description="Evaluate NAS search spaces; see README.md.")
    parser.add_argument("--version", action="version", version=f"harness {version('nas-calibration-harness')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(
        commands,
        "check",
        _from("check", "check"),
        "try the given paths: read everything, evaluate three records of each archive",
    )
    _add(commands, "plan", _from("plan", "plan"), "show what is wanted, done, missing and failed")
    _add(commands, "run", _from("run", "run"), "make what is missing; again resumes")
    retry_parser = _add(commands, "retry", _from("run", "retry"), "make what has failed once more")
    retry_parser.add_argument("--absent", action="store_true", help="also look again for what the archive did not hold")
    status_parser = _add(
        commands, "status", _from("status", "status"), "show what the store holds, failures and live workers"
    )
    how = status_parser.add_mutually_exclusive_group()
    how.add_argument("--watch", action="store_true", help="show the runs at work, again and again until they end")
    how.add_argument("--json", action="store_true", help="print one JSON document instead; docs/store.md has its keys")
    status_parser.add_argument("--every", metavar="SECONDS", type=_seconds, default=5.0, help="between two looks (5)")
    verify_parser = _add(
        commands, "verify", _from("verify", "verify"), "prove that the store is sound, and say what is missing"
    )
    verify_parser.add_argument("--clean", action="store_true", help="first remove what killed writers left behind")
    _add_measure(commands)
    _add_query(commands)
    _add_store(commands)
    _add_archive(commands)
    _add_import(commands)
    _add_export(commands)
    _add_compare(commands)
    report_parser = _add(
        commands, "report", _from("report", "report"), "execute the notebooks of analysis/ and build the site"
    )
    report_parser.add_argument(
        "--whose", default="clean", help="whose numbers: clean, paper, or the origin of an imported table (clean)"
    )
    zoo_parser = _add(commands, "zoo", _from("zoo", "train"), "train the zoo: `harness zoo train`", word="train")
    zoo_parser.add_argument("--diverged", action="store_true", help="also train again what diverged before")
    zoo_parser.description = "Train the zoo of the `zoo` node of the configuration, as NATS-Bench archives."
    return parser


def _add_measure(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    measure_parser = commands.add_parser("measure", help="make what is missing from stored logits; or measure an .npz")
    measure_parser.add_argument(
        "file", nargs="?", metavar="FILE.npz", help="your own predictions: probs (images, classes), labels (images,)"
    )
    measure_parser.add_argument("--retry", action="store_true", help="also what has failed before")
    measure_parser.add_argument("overrides", nargs="*", default=[], metavar="OVERRIDE", help=_OVERRIDES)
    measure_parser.set_defaults(command=_from("measure", "measure"))


def _add_query(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    query_parser = commands.add_parser("query", help="ask the store in SQL; print the answer or write it to a file")
    query_parser.add_argument("sql", nargs="?", metavar="SQL", help="a query over measurements, models, failures, runs")
    query_parser.add_argument("overrides", nargs="*", default=[], metavar="OVERRIDE", help=_OVERRIDES)
    query_parser.add_argument("--out", metavar="FILE", help="write the answer to FILE.csv or FILE.parquet")
    query_parser.add_argument(
        "--describe", action="store_true", help="explain the columns instead: all, or those named"
    )
    query_parser.set_defaults(names=[], command=_from("query", "query"))


def _add_store(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "merge another store into one, prune rows that nobody reads"
    actions = commands.add_parser("store", help=summary, description=summary).add_subparsers(
        metavar="ACTION", required=True
    )
    merge_parser = actions.add_parser("merge", help="take the files of one store into another")
    merge_parser.add_argument("source", metavar="FROM", help="folder of the store to take from; it is not changed")
    merge_parser.add_argument("target", metavar="INTO", help="folder of the store to take into; made if there is none")
    merge_parser.add_argument("overrides", nargs="*", default=[], metavar="OVERRIDE", help=_OVERRIDES)
    merge_parser.set_defaults(command=_from("store", "merge"))
    prune_parser = _add(
        actions, "prune", _from("store", "prune"), "list rows of other inputs than the study's, and superseded ones"
    )
    prune_parser.add_argument("--yes", action="store_true", help="remove them; without it they are only listed")
    prune_parser.add_argument("--dry-run", action="store_true", help="only list them, whatever else is said")


def _add_archive(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "verify, index or convert an archive as it was downloaded"
    actions = commands.add_parser("archive", help=summary, description=summary).add_subparsers(
        metavar="ACTION", required=True
    )
    verify_parser = _add_archive_action(
        actions, "verify", _from("archive", "verify"), "read everything, name each fault and gap"
    )
    verify_parser.add_argument(
        "--all", action="store_true", help="also open records that were sound and have not changed"
    )
    _add_archive_action(
        actions, "index", _from("archive", "index"), "make the table of what each record holds, or renew it"
    )
    convert_help = "convert chosen records to safetensors, bit by bit the same; again resumes"
    _add_archive_action(actions, "convert", _from("archive", "convert"), convert_help, out=True)


def _add_import(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "take other people's tables into the store, apart from your own rows"
    actions = commands.add_parser("import", help=summary, description=summary).add_subparsers(
        metavar="ACTION", required=True
    )
    summary = "the six tables of the published study: a folder of CSV files, or one of them"
    published_parser = _add_import_action(actions, "published", _from("imports", "published"), summary)
    published_parser.add_argument("--partial", action="store_true", help="take files that lack architectures")
    summary = "accuracies under attacks and corruptions: attack_acc.csv, corruption_acc.csv, or the data set's JSON"
    _add_import_action(actions, "robustness", _from("imports", "robustness"), summary)


def _add_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "write your own rows for others: format=paper, the published tables, or format=release, a data set"
    parser = _add(commands, "export", _from("export", "export"), summary)
    parser.add_argument("--out", metavar="FOLDER", help="the folder to make")
    parser.set_defaults(format="none")
    _add_only(parser)


def _add_compare(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "show how two stores, protocols or imported tables differ"
    parser = commands.add_parser("compare", help=summary, description=summary)
    meaning = "clean, paper, an imported table, or a store; STORE:paper and the like for those of another store"
    parser.add_argument("first", metavar="A", help=meaning)
    parser.add_argument("second", metavar="B", help="the same; differences are B minus A")
    parser.add_argument("--all", action="store_true", help="all measurements, not only those of 15 bins")
    parser.add_argument("--out", metavar="FILE.csv", help="also write the lines to a file")
    _add_only(parser)
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help=_OVERRIDES)
    parser.set_defaults(command=_from("compare", "compare_sides"))


def _add_import_action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    function: Command,
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
    function: Command,
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
    function: Command,
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


def _add_only(parser: argparse.ArgumentParser) -> None:
    meaning = f"take rows with this value alone; columns are {', '.join(ONLY_COLUMNS)}; values of one column add up"
    parser.add_argument("--only", metavar="COLUMN=VALUE", action="append", default=[], help=meaning)


def _from(module: str, function: str) -> Command:
    """Return a command of a module of this package, which is imported with torch and the like when it is run."""

    def command(settings: object, arguments: argparse.Namespace) -> int:
        return getattr(import_module(f"harness.cli.{module}"), function)(settings, arguments)

    return command
