"""From command-line overrides to :class:`harness.config.settings.Settings`, with every refusal as a ConfigError."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from harness.config.conversion import convert
from harness.config.schema import Config
from harness.config.settings import Settings
from harness.errors import ConfigError

CONF = Path(__file__).parents[2] / "conf"


def compose(overrides: Sequence[str], conf: Path = CONF) -> Settings:
    """Return the settings that ``conf/config.yaml`` and some overrides make.

    Args:
        overrides: Hydra overrides, such as ``study.archs=0-99`` or ``runner=local``.
        conf: The folder of the configuration.

    Raises:
        ConfigError: An override is not understood, names an unknown key or group, or has a value that cannot be.
    """
    if not (conf / "config.yaml").is_file():
        raise ConfigError(f"no configuration at {conf}: the harness runs from a checkout, with conf/ beside harness/")
    quoted = [_quoted(override) for override in overrides]
    ConfigStore.instance().store(name="schema", node=Config)
    with initialize_config_dir(str(conf), version_base="1.3"):
        _refuse_lists_for_groups(_parsed(quoted), conf)
        try:
            config = hydra_compose("config", overrides=quoted)
            resolved = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            raise ConfigError(_explain(error, overrides, conf)) from error
    if not isinstance(resolved, dict):
        raise ConfigError(f"expected a mapping in {conf / 'config.yaml'}")
    config_values = {str(key): value for key, value in resolved.items()}
    _refuse_unknown(config_values, conf)
    return convert(config_values, overrides)


def _quoted(override: str) -> str:
    """Quote a text that Hydra would read as its grammar: an expression for architectures, a path with other letters."""
    key, _, value = override.partition("=")
    if _is_list(key) or str not in _alternatives(key) or not value or value[0] in "'\"":
        return override
    if key not in ("study.archs", "zoo.archs") and _is_readable(override):
        return override
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), value)
    return f"{key}='{escaped}'"


def _is_readable(override: str) -> bool:
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True


def _parsed(overrides: Sequence[str]) -> list[Override]:
    for override in overrides:
        if "=" not in override and not override.startswith("~"):
            raise ConfigError(f"expected KEY=VALUE, got {override!r}; keys and their meaning: {CONF / 'config.yaml'}")
    try:
        return OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise ConfigError(
            f"cannot read an override: {error}; write KEY=VALUE, in quotes a value with =, ( or letters beyond ASCII"
        ) from error


def groups(conf: Path = CONF) -> dict[str, list[str]]:
    """Return the configuration groups and their options."""
    folders = sorted(path for path in conf.iterdir() if path.is_dir())
    return {folder.name: sorted(path.stem for path in folder.glob("*.yaml")) for folder in folders}


def _refuse_lists_for_groups(overrides: Sequence[Override], conf: Path) -> None:
    """Hydra silently keeps the last of a list that is given to a group."""
    options = groups(conf)
    for override in overrides:
        if override.key_or_group in options and isinstance(override.value(), list):
            raise ConfigError(
                f"{override.input_line}: {override.key_or_group} is a group and takes one of "
                f"{', '.join(options[override.key_or_group])}; lists belong to the keys of study"
            )


def _refuse_unknown(config: Mapping[str, Any], conf: Path) -> None:
    """Hydra lets ``+key=value`` add a key that no schema has, and ``~key`` remove one that is needed."""
    removed = [node.name for node in fields(Config) if node.name not in config]
    if removed:
        raise ConfigError(f"{', '.join(removed)} is needed and was removed; keys: {conf / 'config.yaml'}")
    nested = {key: value for key, value in config.items() if isinstance(value, dict)}
    written = {*config, *(f"{node}.{key}" for node, values in nested.items() for key in values)}
    unknown = sorted(written - _known_keys(conf))
    if unknown:
        raise ConfigError(f"unknown key {', '.join(unknown)}; keys and their meaning: {conf / 'config.yaml'}")


def _explain(error: Exception, overrides: Sequence[str], conf: Path) -> str:
    """Hydra's message, with the known keys that come nearest to what was written."""
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} must be given; {conf / 'config.yaml'} and the folders beside it say what it is"
    causes = [cause for cause in (error, error.__cause__) if cause is not None and str(cause).strip()]
    messages = [str(cause).strip().splitlines()[0].removesuffix(".") for cause in causes]
    known = _known_keys(conf)
    parts = [override.partition("=") for override in overrides]
    written = [(key.lstrip("+~"), value) for key, _, value in parts]
    options = groups(conf)
    hints = [
        f"{key}: expected one of {', '.join(options[key])}"
        for key, value in written
        if options.get(key) and value not in options[key]
    ]
    hints += [
        f"{key}: did you mean {' or '.join(near)}?" if near else f"{key}: unknown key"
        for key, _ in written
        if key not in known
        for near in [difflib.get_close_matches(key, known, n=2)]
    ]
    if any("ListConfig" in message or message.startswith("Ambiguous value") for message in messages):
        lists = [(key, value) for key, value in written if _is_list(key) and value[:1] != "["]
        if lists:
            messages = [f"{key}: expected a list; write {key}=[{value}]" for key, value in lists]
    return "; ".join([*messages, *hints, f"keys and their meaning: {conf / 'config.yaml'}"])


def _is_list(key: str) -> bool:
    return list in map(get_origin, _alternatives(key))


def _alternatives(key: str) -> tuple[object, ...]:
    """Return the type of a key and what it is made of: of what may be null, the type beside None."""
    written = _types().get(key)
    return (written, *get_args(written))


def _known_keys(conf: Path) -> set[str]:
    return {*groups(conf), *_types()}


def _types() -> dict[str, object]:
    """Return the type of every key of the schema, ``study`` and ``study.datasets`` alike."""
    found: dict[str, object] = {}
    for node in fields(Config):
        found[node.name] = node.type
        if isinstance(node.type, type) and is_dataclass(node.type):
            found |= {f"{node.name}.{key.name}": key.type for key in fields(node.type)}
    return found
