"""The site in a browser: no errors, the table of models sorts and filters, its state is in the address.

Needs Debian's ``chromium``; skipped where there is none, but not where CI=true.
"""

import os
import re
import shutil
import subprocess
from html import unescape
from urllib.parse import urlencode

import pytest

from .conftest import SSS, TSS

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom",
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and os.environ.get("CI") != "true", reason="needs a browser: apt install chromium"
)


@pytest.fixture
def browse(made_site, tmp_path):
    """Open a page; returns its DOM after its scripts have run, and what the console said."""

    def call(name, folder=made_site, **state):
        assert CHROMIUM is not None, "CI=true and there is no chromium: apt install chromium"
        address = f"{(folder / name).as_uri()}#{urlencode(state)}"
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout, re.findall(r"CONSOLE[^\n]*", done.stderr)

    return call


def rows_of(dom):
    body = re.search(r'<table id="models">.*?<tbody>(.*?)</tbody>', dom, re.DOTALL)[1]
    return [
        [unescape(re.sub(r"<[^>]+>", "", cell)) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.DOTALL)
    ]


@pytest.mark.parametrize("name", ["index.html", "models.html", "gate.html", "provenance.html"])
def test_pages_open_from_the_file_system_without_errors(browse, name):
    dom, console = browse(name)
    assert console == []
    assert 'aria-current="page"' in dom


def test_figures_are_present_described_and_their_files_are_beside(browse, made_site, tmp_path):
    seen = (
        "<script>onload = () => { document.title = [...document.images].map((image) => "
        "`${image.naturalWidth > 100} ${image.alt}`).join(';') }</script></body>"
    )
    (tmp_path / "seen.html").write_text((made_site / "index.html").read_text().replace("</body>", seen))
    dom, console = browse("seen.html", folder=tmp_path)
    assert console == []
    assert "<title>true A line that rises from 1 to 2</title>" in dom
    for form in ("png", "pdf"):
        assert f'href="figures/a-line.{form}"' in dom
        assert (made_site / "figures" / f"a-line.{form}").is_file()


def contrast(first, second):
    """The ratio of contrast of two colours, as WCAG defines it."""
    lights = []
    for colour in (first, second):
        digits = colour * 2 if len(colour) == 3 else colour
        shares = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        lights.append(sum(weight * light for weight, light in zip((0.2126, 0.7152, 0.0722), linear, strict=True)))
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def test_text_stands_out_from_its_background(made_site):
    style = re.search(r"<style>(.*?)</style>", (made_site / "index.html").read_text(), re.DOTALL)[1]
    colours = re.findall(r"[;{ ]color: #([0-9a-f]{3,6})", style)
    assert len(colours) >= 4
    for colour in colours:
        assert min(contrast(colour, "ffffff"), contrast(colour, "fff3d6")) >= 4.5, colour


def test_every_page_can_be_walked_by_keyboard(made_site):
    for path in made_site.glob("*.html"):
        page = path.read_text()
        assert '<a class="skip" href="#content">' in page
        assert '<main id="content">' in page
        assert '<html lang="en">' in page
        assert not re.search(r'tabindex="[1-9]|onclick=', page), path.name


def test_all_networks_are_shown_the_most_accurate_first(browse):
    dom, _ = browse("models.html")
    rows = rows_of(dom)
    assert len(rows) == 2 * len(TSS) + len(SSS)
    accuracies = [float(row[3]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert 'aria-sort="descending"' in dom
    assert "21 of 21 networks" in dom


def test_state_in_the_address_filters_and_sorts(browse):
    dom, console = browse("models.html", space="sss", sort="ECE_15 after", down="0")
    assert console == []
    rows = rows_of(dom)
    assert {row[0] for row in rows} == {"sss"}
    errors = [float(row[5]) for row in rows]
    assert errors == sorted(errors)
    assert f"{len(SSS)} of 21 networks" in dom
    dom, _ = browse("models.html", dataset="cifar100", text=str(TSS[-1]))
    assert all(row[1] == "cifar100" and str(TSS[-1]) in row[2] + row[-1] for row in rows_of(dom))
    dom, _ = browse("models.html", text="no such architecture")
    assert rows_of(dom) == []
    assert "0 of 21 networks" in dom


def test_a_topology_is_drawn_with_its_reliability(browse):
    dom, console = browse("models.html", model=f"tss/cifar10/{TSS[0]}")
    assert console == []
    section = re.search(r'<section id="model".*?</section>', dom, re.DOTALL)[0]
    assert f"tss {TSS[0]} on cifar10" in section
    assert section.count("<svg") == 3
    assert section.count('role="img"') == 3
    assert section.count("<circle") == 4
    assert "after temperature scaling" in section
    assert dom.count('aria-selected="true"') == 1


def test_a_size_is_drawn_with_its_widths(browse):
    dom, _ = browse("models.html", model="sss/cifar10/4681")
    section = re.search(r'<section id="model".*?</section>', dom, re.DOTALL)[0]
    assert re.findall(r">(\d+)</text>", section)[:5] == ["16"] * 5


@pytest.mark.parametrize("state", [{"model": "tss/nowhere/1"}, {"sort": "nothing"}, {"space": "<b>"}, {"other": "1"}])
def test_an_address_that_means_nothing_breaks_nothing(browse, state):
    dom, console = browse("models.html", **state)
    assert console == []
    assert "of 21 networks" in dom


def test_a_click_sorts_and_writes_the_address(browse, made_site, tmp_path):
    clicked = (made_site / "models.html").read_text().replace(
        "</body>", "<script>document.querySelectorAll('#models th button')[2].click();"
        "document.querySelector('#models tbody button').click();document.title = location.hash</script></body>"
    )  # fmt: skip
    (tmp_path / "clicked.html").write_text(clicked)
    dom, console = browse("clicked.html", folder=tmp_path)
    assert console == []
    rows = rows_of(dom)
    indices = [int(row[2]) for row in rows]
    assert indices == sorted(indices, reverse=True)
    title = unescape(re.search(r"<title>(.*?)</title>", dom)[1])
    assert title == f"#sort=index&model={rows[0][0]}%2F{rows[0][1]}%2F{rows[0][2]}"
    assert dom.count('aria-selected="true"') == 1
