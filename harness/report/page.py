"""What all pages share: style, the way to the other pages, where the numbers come from. A page needs no other file."""

import datetime
import html
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple


class Link(NamedTuple):
    """A page, as the others link to it."""

    file: str
    title: str


def wrap(body: str, link: Link, pages: Sequence[Link], source: str) -> str:
    """Return a page as HTML.

    Args:
        body: What it shows, HTML.
        link: The page itself.
        pages: All pages, in order.
        source: Where the numbers come from, in words.
    """
    now = datetime.datetime.now(datetime.UTC)
    style = files("harness.report").joinpath("style.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(link.title)}</title><style>{style}</style></head>\n"
        f'<body><a class="skip" href="#content">Skip to the content</a>{_navigation(link, pages)}'
        f'<main id="content">{body}</main>\n'
        f"<footer>Made {now:%Y-%m-%d %H:%M} UTC from {html.escape(source)}.</footer></body></html>\n"
    )


def _navigation(link: Link, pages: Sequence[Link]) -> str:
    """Return the links to all pages, questions by their numbers; that of the page itself is marked."""
    items = []
    for page in pages:
        current = ' aria-current="page"' if page == link else ""
        question = re.match(r"q(\d+)_", page.file)
        shown = f"{question[1]}. {page.title}" if question else page.title
        items.append(f'<li><a href="{html.escape(page.file)}"{current}>{html.escape(shown)}</a></li>')
    return f'<nav aria-label="Pages"><ol>{"".join(items)}</ol></nav>'
