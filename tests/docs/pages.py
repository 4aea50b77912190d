"""What the pages tell to type: the command lines and the Python snippets of README.md and docs/, in their order."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# What begins a command: also what no page names so far, lest one is named and not typed.
PROGRAMS = (
    r"(?:aws|cat|cd|conda|cp|curl|docker|du|export|git|harness|kill|kubectl|ls|make|mkdir|mv|nohup|pip|pytest|"
    r"python3?(?= -| \S+\.py)|ray|rm|rsync|sacct|sbatch|scancel|scontrol|scp|screen|sed|sha256sum|sinfo|source|squeue|"
    r"srun|ssh|sudo|tail|tar|tmux|watch|wget|jobs/\w+\.sh|\.venv/bin/\w+)"
)
TYPED = re.compile(rf"{PROGRAMS}(?: |$)|\w+=\"")
INLINE = re.compile(rf"`({PROGRAMS} [^`]+)`")


@dataclass(frozen=True)
class Typed:
    """A command line or a snippet of a page.

    Attributes:
        where: Its page and line.
        text: What is typed.
        is_snippet: Whether it is Python.
        is_inline: Whether it stands in prose.
        error: The error that the page shows behind it.
    """

    where: str
    text: str
    is_snippet: bool = False
    is_inline: bool = False
    error: str = ""


def read_page(page, lines):
    """The commands and snippets of a page, in its order."""
    block, inside, found = [], None, []
    for number, line in enumerate(lines, start=1):
        where = f"{page}:{number}"
        if fence := re.match(r"```(.*)$", line):
            if inside == "python":
                found.append(Typed(where, "\n".join(text for _, text in block) + "\n", is_snippet=True))
            elif inside is not None:
                found += read_block(block)
            inside, block = (fence[1] if inside is None else None), []
        elif inside is None:
            found += [Typed(where, text, is_inline=True) for text in INLINE.findall(line)]
        else:
            block.append((where, line))
    return found


def read_block(block):
    """The command lines of a block: those after a prompt, or without prompts those that begin with a command."""
    prompted = any(line.startswith("$ ") for _, line in block)
    found = []
    while block:
        (where, line), *block = block
        if line.startswith("$ ") if prompted else TYPED.match(line):
            text = line.removeprefix("$ ")
            while not is_whole(text):
                (_, line), *block = block
                text += "\n" + line
            error = block[0][1] if block and block[0][1].startswith("harness: error: ") else ""
            found.append(Typed(where, text, error=error))
    return found


def is_whole(text):
    """Whether no quotation goes on in the next line."""
    try:
        return bool(shlex.split(text, comments=True))
    except ValueError:
        return False


NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
SESSIONS = {name: read_page(name, (ROOT / name).read_text().splitlines()) for name in NAMES}
ALL = [typed for session in SESSIONS.values() for typed in session]
COMMANDS = [typed for typed in ALL if not typed.is_snippet]
