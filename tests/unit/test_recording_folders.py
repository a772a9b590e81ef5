"""Every test's recordings have a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main

pytest_plugins = ["pytester"]

SCENARIO = "{open: page.html, wait: 1s}\n"  # no line that starts with `open:`
CONFTEST = """
import pytest
from harness.recording_folders import folder_of

@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session):
    for item in session.items:
        print(f"{item.nodeid} -> {folder_of(item)}")
"""


@pytest.fixture
def two_projects(pytester: pytest.Pytester) -> Path:
    for name in ("first", "second"):
        folder = pytester.path / name / "scenarios"
        folder.mkdir(parents=True)
        (folder / "page.html").write_text("<p>page")
        (folder / "home.yaml").write_text(SCENARIO)
        (pytester.path / name / f"test_{name}.py").write_text(
            "import pytest\n@pytest.mark.parametrize('n', ['a/b', 'a-b'])\n"
            f"def test_it(n): pass\ndef test_{name}(): pass\n"
        )
    return pytester.path


def test_tests_of_one_name(pytester: pytest.Pytester, two_projects: Path) -> None:
    (two_projects / "conftest.py").write_text(CONFTEST)
    result = pytester.runpytest("--collect-only", "-q")
    result.stdout.fnmatch_lines(
        [
            "first/scenarios/home.yaml::home -> first-scenarios-home.yaml-home",
            "first/test_first.py::test_it[[]a/b[]] -> first-test_first.py-test_it-a-b-",
            "first/test_first.py::test_it[[]a-b[]] -> first-test_first.py-test_it-a-b--2",
            "first/test_first.py::test_first -> test_first",
            "second/scenarios/home.yaml::home -> second-scenarios-home.yaml-home",
            "second/test_second.py::test_second -> test_second",
        ]
    )
    result = pytester.runpytest("--collect-only", "-q", "first/scenarios")
    result.stdout.fnmatch_lines(["first/scenarios/home.yaml::home -> home"])


def test_harness_run_refuses_two_files_of_one_name(
    two_projects: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(two_projects / name / "scenarios/home.yaml") for name in ("first", "second")]
    out = two_projects / "out"
    assert main(["run", *files, "--output", str(out)]) == 2
    assert "would both be recorded in the folder 'home'" in capsys.readouterr().err
    assert not out.exists()


def test_a_file_that_is_named_behind_a_link_is_a_scenario(
    pytester: pytest.Pytester, two_projects: Path
) -> None:
    (two_projects / "home").mkdir()
    (two_projects / "home" / "own.yaml").write_text(SCENARIO)
    (two_projects / "home" / "page.html").write_text("<p>page")
    (two_projects / "link").symlink_to(two_projects / "home")
    result = pytester.runpytest("--collect-only", "-q", "link/own.yaml")
    result.stdout.fnmatch_lines(["link/own.yaml::own"])
