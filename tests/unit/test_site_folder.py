"""What of a site's folder is served, and which links lead out of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from test_server import ask

from harness.errors import ScenarioError
from harness.scenario import load_scenario
from harness.server import SiteServer
from harness.site_folder import file_at, leads_out, links_out


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with links of every kind; beside it what they lead to."""
    site = tmp_path / "site"
    (site / "pages").mkdir(parents=True)
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "page.html").write_text("secret")
    (site / "index.html").write_text("index")
    (site / "pages" / "one.html").write_text("one")
    (site / "same.html").symlink_to("pages/one.html")
    (site / "absolute.html").symlink_to(site / "index.html")
    (site / "again.html").symlink_to("same.html")
    (site / "all").symlink_to("pages")
    (site / "up").symlink_to(".")
    (site / "pages" / "out.html").symlink_to("../../else/page.html")
    (site / "out").symlink_to(tmp_path / "else")
    (site / "gone.html").symlink_to(tmp_path / "none" / "gone.html")
    (site / "nothing.html").symlink_to("none.html")
    (site / "round.html").symlink_to("round.html")
    return site


INSIDE = {
    "index.html": "index",
    "same.html": "one",
    "absolute.html": "index",
    "again.html": "one",
    "all/one.html": "one",
    "up/up/index.html": "index",
}
OUTSIDE = ["pages/out.html", "all/out.html", "out/page.html", "out/none.html", "gone.html"]
ABSENT = ["nothing.html", "round.html", "round.html/x.html", "x" * 300 + ".html", "pages"]


def test_links_are_followed_inside_the_folder_only(site: Path) -> None:
    for path, text in INSIDE.items():
        file = file_at(site, path)
        assert file is not None and file.read_text() == text
        assert not leads_out(site, path)
    for path in OUTSIDE:
        assert file_at(site, path) is None and leads_out(site, path)
    for path in [*ABSENT, "../else/page.html", "a\0b"]:
        assert file_at(site, path) is None and not leads_out(site, path), path
    assert links_out(site) == ("gone.html", "out", "pages/out.html")


@pytest.mark.usefixtures("site")
def test_the_server_and_the_loader_say_the_same_of_every_page(tmp_path: Path) -> None:
    """As the scenario's own folder, which is not searched, every page is looked at by itself."""
    scenario = tmp_path / "some.yaml"
    with SiteServer(tmp_path) as server:
        for path in [*INSIDE, *OUTSIDE, *ABSENT[:-1]]:
            status, _, body = ask(server, f"/site/{path}")
            scenario.write_text(f"open: site/{path}\nwait: 1s\n")
            said = ""
            try:
                load_scenario(scenario)
            except ScenarioError as error:
                said = error.message
            assert (status == 200) == (said == ""), path
            assert ("leads out of the site" in said) == (b"leads out of the site" in body), path
            assert (status == 200) == (path in INSIDE or path in OUTSIDE[:3])


def test_a_site_of_its_own_has_no_link_that_leads_out(site: Path, tmp_path: Path) -> None:
    scenario = tmp_path / "some.yaml"
    scenario.write_text("site: site\nopen: index.html\nwait: 1s\n")
    with pytest.raises(ScenarioError) as caught:
        load_scenario(scenario)
    named = [line.split("'")[1] for line in caught.value.message.splitlines()]
    assert named == ["gone.html", "out", "pages/out.html"]
    assert caught.value.message.count("some.yaml:1:7: site: ") == 3
    for name in named:
        (site / name).unlink()
    assert load_scenario(scenario).site_folder == site


def test_a_site_may_itself_be_a_link(site: Path, tmp_path: Path) -> None:
    for name in links_out(site):
        (site / name).unlink()
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "site").symlink_to(site)
    scenario = tmp_path / "scenarios" / "some.yaml"
    scenario.write_text("site: site\nopen: same.html\nwait: 1s\n")
    with SiteServer(load_scenario(scenario).site_folder) as server:
        assert ask(server, "/same.html")[2] == b"one"


def test_a_huge_folder_is_not_searched_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for name in "ab":
        (tmp_path / name / "link").symlink_to(os.sep)
    assert links_out(tmp_path) == ("a/link", "b/link")
    assert links_out(tmp_path, most=3) == ("b/link",)
    assert links_out(tmp_path / "none") == ()
