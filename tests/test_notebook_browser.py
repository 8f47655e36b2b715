"""Python in the browser, played by stand-ins: the renderer is loaded and used, and cells that fail on purpose go on.

The real thing is in ``tests/browser/test_lite.py``.
"""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType, SimpleNamespace

import pytest

from rpcmemkit import UsageError
from rpcmemkit.draw import svg
from rpcmemkit.notebook import browser


@pytest.fixture(autouse=True)
def drawing_as_before():
    before = list(svg._loaded)
    yield
    svg._loaded[:] = before
    sys.modules.pop(browser.RENDERER, None)


class Page:
    """What Pyodide gives: a way to run JavaScript, and what that brings."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.revoked: list[str] = []

    async def run_js(self, code):
        self.ran.append(code)
        return self

    async def instance(self):
        return self

    def renderString(self, source, **options):
        self.asked.append((source, options))
        return "<svg/>"


@pytest.fixture
def page(monkeypatch, tmp_path):
    page = Page()
    modules = {
        "js": {
            "Blob": SimpleNamespace(new=lambda parts, **_: parts),
            "URL": SimpleNamespace(
                createObjectURL=lambda blob: f"blob:{blob[0]}", revokeObjectURL=page.revoked.append
            ),
        },
        "pyodide": {},
        "pyodide.code": {"run_js": page.run_js},
        "pyodide.ffi": {"to_js": list},
    }
    for name, contents in modules.items():
        module = ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    (tmp_path / browser.RENDERER).mkdir()
    (tmp_path / browser.RENDERER / "__init__.py").touch()
    (tmp_path / browser.RENDERER / "viz.js").write_text("script")
    monkeypatch.syspath_prepend(tmp_path)
    return page


@pytest.fixture
def shell(monkeypatch):
    shell = SimpleNamespace(handlers=[], shown=[], tags=[])
    shell.set_custom_exc = lambda kinds, handler: shell.handlers.append((kinds, handler))
    shell.showtraceback = lambda error, **_: shell.shown.append(error)
    shell.kernel = SimpleNamespace(get_parent=lambda: {"metadata": {"tags": shell.tags}})
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    return shell


def test_pictures_are_drawn_by_what_the_page_loads(page, shell):
    asyncio.run(browser.start())
    assert page.ran == ["import('blob:script')"]
    assert page.revoked == ["blob:script"]
    assert svg.render_dot("digraph {}") == "<svg/>"
    assert page.asked == [("digraph {}", {"engine": "nop2", "format": "svg"})]
    assert shell.handlers == [((Exception,), browser.tell)]


def test_what_lies_beside_a_notebook_can_be_imported(page, shell, monkeypatch):
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    asyncio.run(browser.start())
    asyncio.run(browser.start())
    assert sys.path.index("") == 0
    assert sys.path.count("") == 1


def test_outside_a_browser_there_is_nothing_to_load():
    with pytest.raises(UsageError, match="viz_js"):
        asyncio.run(browser.start())


def test_in_a_browser_a_picture_says_what_it_needs(monkeypatch):
    monkeypatch.setattr(sys, "platform", "emscripten")
    with pytest.raises(UsageError, match=r"await rpcmemkit\.notebook\.browser\.start\(\)"):
        svg.render_dot("digraph {}")


def test_an_error_is_shown_as_ever(shell, capsys):
    error = ValueError("no")
    browser.tell(shell, ValueError, error, None)
    assert shell.shown == [(ValueError, error, None)]
    assert capsys.readouterr().err == ""


def test_an_error_on_purpose_stops_nothing(shell, capsys):
    shell.tags.append("raises-exception")
    browser.tell(shell, ValueError, ValueError("no"), None)
    assert shell.shown == []
    assert capsys.readouterr().err == "ValueError: no\n"
