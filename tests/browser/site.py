"""The built site, served on this machine, and a visit to one of its pages in Chromium."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tools.check_site import pages_of
from tools.notebooks import ROOT

SITE = ROOT / "_build" / "html"
PAGES = sorted(str(path.relative_to(SITE).as_posix()) for path in pages_of(SITE))
SIZES = {"wide": (1280, 900), "narrow": (360, 740)}
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def served() -> Iterator[str]:
    """The address of the site while it is served."""
    handler = functools.partial(Quiet, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def chromium() -> str | None:
    """The system's Chromium, if it has one."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Visit:
    """A page with everything that it asked for and complained of."""

    def __init__(self, browser: Any, address: str, size: str = "wide", scheme: str = "light") -> None:
        self.size = size
        width, height = SIZES[size]
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.address = address
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        self.page = self.context.new_page()
        self.page.route("**/*", self.admit)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        self.page.on("response", lambda answer: answer.status >= 400 and self.complaints.append(answer.url))

    def admit(self, route: Any) -> None:
        """Let the site have what is its own; note and refuse what is another host's."""
        if route.request.url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.elsewhere.append(route.request.url)
            route.abort()

    def open(self, name: str) -> Any:
        """Open a page and wait until its widgets are there."""
        self.page.goto(self.address + name)
        self.page.wait_for_load_state("networkidle")
        if self.page.locator("script[type='application/vnd.jupyter.widget-view+json']").count():
            self.page.wait_for_selector(".jupyter-widgets")
        return self.page
