"""The workflows: linted, and nothing in them that this project's tests do not run, too."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from harness import cli

REPOSITORY = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
LINTER = REPOSITORY / "reports" / "lint-workflows.mjs"

# Each command of a workflow by its beginning, and where this project runs it itself. A make
# target is also looked up in the Makefile (below), a harness command in its parser.
RUN_BY = {
    "make setup": "every `make test` begins with it",
    "make lint": "run before every commit",
    "make test": "runs these tests",
    "make report": "tests/integration/test_rendered_report.py",
    "make gate": "tests/integration/test_rendered_report.py",
    "make nightly": "test_the_nightly_target_plays_scenarios",
    "make bench-save": "benchmarks/, by the same pytest",
    ".venv/bin/harness doctor": "tests/unit/test_doctor.py",
    "cat reports/summary.md": "tests/integration/test_rendered_report.py makes the file",
    "apt-get update": "scripts/setup-system.sh",
}


def commands() -> list[str]:
    found = []
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
            for step in job["steps"]:
                found += step.get("run", "").splitlines()
    return sorted(set(found))


def lint(*paths: Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    return subprocess.run(
        ["node", LINTER, *paths], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_linter_finds_nothing() -> None:
    assert [path.name for path in WORKFLOWS] == ["nightly.yml", "push.yml"]
    done = lint(*WORKFLOWS)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("runs-on: [self", "runs-onn: [self", '"runs-on" section is missing'),
        ("${{ matrix.size }}", "${{ matrix.sizes }}", "sizes"),
        ("linux, gpu]", "linux, gpus]", 'label "gpus" is unknown'),
        ('cron: "17 2 * * *"', 'cron: "17 2 * *"', "CRON"),
    ],
)
def test_the_linter_finds_mistakes(tmp_path: Path, good: str, bad: str, said: str) -> None:
    text = (REPOSITORY / ".github/workflows/nightly.yml").read_text(encoding="utf-8")
    assert good in text
    path = tmp_path / "wrong.yml"
    path.write_text(text.replace(good, bad), encoding="utf-8")
    done = lint(path)
    assert done.returncode == 1
    assert said in done.stderr and f"{path}:" in done.stderr


@pytest.mark.parametrize("command", commands())
def test_every_command_is_one_that_the_tests_run(command: str) -> None:
    known = [start for start in RUN_BY if command.startswith(start)]
    assert known, f"'{command}' is run by no test: give it one, and name it in RUN_BY"
    if command.startswith("make "):
        target = command.split()[1]
        makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{target}:.*## ", makefile, re.M), f"no target {target}"
    if "harness " in command:
        words = command.split("harness ", 1)[1].split()
        assert cli._parser().parse_args(words).command == words[0]


def test_nothing_is_known_that_no_workflow_runs() -> None:
    assert {s for s in RUN_BY if not any(c.startswith(s) for c in commands())} == set()


@pytest.mark.parametrize(("stored", "compares"), [(None, False), ("Chrome/0001_night.json", True)])
def test_the_nightly_target_plays_scenarios(
    tmp_path: Path, stored: str | None, compares: bool
) -> None:
    """What pytest is given: collected for real, but not recorded."""
    if stored:
        (tmp_path / stored).parent.mkdir(parents=True)
        (tmp_path / stored).write_text("{}")
    done = subprocess.run(
        ["make", "--dry-run", "nightly", "SELECT=not full_hd"],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "UISPLICE_BASELINES": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    command = done.stdout.replace("\\\n", " ").strip().splitlines()[-1].split("-m pytest", 1)[1]
    assert ("--baseline-compare" in command) is compares
    assert "--baseline-autosave" in command and '-k "not full_hd"' in command
    options = command.replace("--baseline-compare", "").replace("--baseline-autosave", "")
    collected = subprocess.run(
        f".venv/bin/python -m pytest {options} --collect-only -q -p no:cacheprovider",
        shell=True,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "scenarios/netflix_ui.yaml::netflix_ui" in collected.stdout, collected.stdout
    assert "full_hd" not in collected.stdout
