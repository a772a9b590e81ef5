"""`harness new`: what it writes loads without a problem, and nothing is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import ScenarioError
from harness.scenario import load_scenario
from harness.starter import write_starter


def test_without_anything_it_writes_a_page_of_its_own(tmp_path: Path):
    written = write_starter("first-run", tmp_path / "scenarios")
    assert [path.name for path in written] == ["first-run.html", "first-run.yaml"]
    scenario = load_scenario(written[1])
    assert (scenario.title, scenario.open) == ("First run", "first-run.html")
    assert (scenario.site_folder / scenario.open).is_file()
    assert [phase.name for phase in scenario.phases] == ["Still", "Open the panel"]
    page = written[0].read_text()
    # What the steps wait for and act on is on the page.
    assert ">Open</button>" in page
    assert "Here it is" in page


def test_a_site_that_is_there_is_opened(tmp_path: Path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<p>mine</p>")
    [path] = write_starter("own.yaml", tmp_path)
    scenario = load_scenario(path)
    assert (scenario.site, scenario.open) == ("site", "index.html")
    assert (tmp_path / "site" / "index.html").read_text() == "<p>mine</p>"


@pytest.mark.parametrize("url", ["https://example.org/a?b=c#d", "http://127.0.0.1:8080/"])
def test_a_url_is_opened(tmp_path: Path, url: str):
    [path] = write_starter("web", tmp_path, url)
    assert load_scenario(path).open == url


@pytest.mark.parametrize("name", ["yes", "null", "12", "a.b", "x_y-z"])
def test_any_name_loads(tmp_path: Path, name: str):
    path = write_starter(name, tmp_path)[-1]
    assert path.name == f"{name}.yaml"
    assert load_scenario(path).title


@pytest.mark.parametrize("there", ["mine.yaml", "mine.yml", "mine.html"])
def test_nothing_is_overwritten(tmp_path: Path, there: str):
    (tmp_path / there).write_text("precious")
    with pytest.raises(ScenarioError, match=f"already there: .*{there}; nothing was written"):
        write_starter("mine", tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {there: "precious"}


@pytest.mark.parametrize(
    ("name", "url", "message"),
    [
        ("../up", None, "'../up' cannot name a scenario"),
        ("", None, "'' cannot name a scenario"),
        ("a", "example.org", "'example.org' is no URL"),
        ("a", "ftp://example.org", "'ftp://example.org' has the scheme 'ftp:'"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, name: str, url: str | None, message: str):
    with pytest.raises(ScenarioError, match=message):
        write_starter(name, tmp_path, url)
    assert not list(tmp_path.iterdir())


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "checkout"]) == 0
    assert "run it: harness run scenarios/checkout.yaml" in capsys.readouterr().out
    assert main(["validate", "scenarios/checkout.yaml"]) == 0
    assert main(["new", "checkout"]) == 2
    assert "already there" in capsys.readouterr().err
