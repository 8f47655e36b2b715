"""The look over the built site finds what it is for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tools.check_site import check

SOUND = '<h1 id="top">x</h1><a href="#top">up</a><a href="https://example.org/">out</a><img src="a.svg" alt="two boxes">'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "a.svg").write_text("<svg/>")
    (tmp_path / "other.html").write_text('<p id="here">x</p>')
    return tmp_path


def test_a_sound_site(site: Path) -> None:
    (site / "index.html").write_text(SOUND + '<a href="other.html#here">other</a>')
    assert check(site) == []


def test_no_site(tmp_path: Path) -> None:
    assert check(tmp_path)


@pytest.mark.parametrize(
    "part",
    [
        '<script src="https://example.org/x.js"></script>',
        '<link rel="stylesheet" href="//example.org/x.css">',
        '<img src="https://example.org/x.png" alt="x">',
        '<iframe src="http://example.org/"></iframe>',
        '<script>const URL = "https://example.org/lib/index.js"</script>',
        "<style>@import 'https://example.org/x.css'</style>",
        '<img src="a.svg">',
        '<img src="a.svg" alt=" ">',
        '<a href="missing.html">x</a>',
        '<a href="other.html#nowhere">x</a>',
        '<a href="#nowhere">x</a>',
        '<script src="missing.js"></script>',
    ],
)
def test_what_is_wrong_is_found(site: Path, part: str) -> None:
    (site / "index.html").write_text(SOUND + part)
    assert len(check(site)) == 1


def test_a_style_sheet_that_fetches(site: Path) -> None:
    (site / "x.css").write_text("b { background: url(https://example.org/x.png) }")
    assert len(check(site)) == 1


def test_a_page_that_is_too_heavy(site: Path) -> None:
    (site / "index.html").write_text(SOUND + random.Random(1).randbytes(600_000).hex())
    assert ["bytes compressed" in problem for problem in check(site)] == [True]


def test_another_site_below_is_not_ours(site: Path) -> None:
    (site / "index.html").write_text(SOUND)
    (site / "lite").mkdir()
    (site / "lite" / "index.html").write_text('<script src="missing.js"></script>')
    assert check(site) == []
