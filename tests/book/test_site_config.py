"""The copied settings get only the buttons that lead somewhere."""

from __future__ import annotations

from tools.site_config import configured

SETTINGS = {
    "title": "x",
    "html": {"use_issues_button": False},
    "launch_buttons": {"notebook_interface": "jupyterlab"},
}


def test_nothing_is_added_unasked():
    assert configured(SETTINGS, lite=False, repository="", branch="main") == SETTINGS


def test_lite_alone():
    made = configured(SETTINGS, lite=True, repository="", branch="main")
    assert made["launch_buttons"]["jupyterlite_url"] == "../lite/notebooks/index.html"
    assert "repository" not in made
    assert made["html"] == SETTINGS["html"]


def test_a_repository():
    made = configured(SETTINGS, lite=False, repository="https://github.com/o/n/", branch="trunk")
    assert made["repository"] == {"url": "https://github.com/o/n", "branch": "trunk", "path_to_book": ""}
    assert made["launch_buttons"]["binderhub_url"] == "https://mybinder.org"
    assert all(made["html"][f"use_{what}_button"] for what in ("repository", "issues", "edit_page"))
    assert SETTINGS["html"] == {"use_issues_button": False}
