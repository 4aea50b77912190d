"""The pages hold together: blocks of code end, links lead somewhere."""

import re

import pytest

from tests.docs.pages import PAGES


@pytest.fixture(params=PAGES, ids=lambda path: path.stem)
def page(request):
    return request.param


def parts(page):
    """The text outside and inside of blocks of code."""
    return re.split(r"^```.*$", page.read_text(), flags=re.MULTILINE)


def anchors(page):
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", "".join(parts(page)[::2]), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_block_of_code_ends(page):
    assert len(parts(page)) % 2 == 1
    for prose in parts(page)[::2]:
        assert not re.search(r"^(harness|make) [a-z]+", prose, flags=re.MULTILINE), "code outside of a block"


def test_no_merge_was_left_half_done(page):
    assert not re.search(r"^(<{7}|>{7}|={7}$)", page.read_text(), flags=re.MULTILINE)


def test_every_link_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", "".join(parts(page)[::2])):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
