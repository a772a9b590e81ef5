"""The examples of docs/scenarios.md, played as a reader would: with pytest, on the page's site."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.examples import install_steps, lay_out

from harness.scenario import load_scenarios

pytestmark = [pytest.mark.chrome, pytest.mark.slow]


def test_every_example_does_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    install_steps(packages)
    monkeypatch.syspath_prepend(str(packages))
    folder = tmp_path / "scenarios"
    folder.mkdir()
    paths = lay_out(folder)
    scenarios = [scenario for path in paths for scenario in load_scenarios(path)]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v"]
        + [str(path) for path in paths]
        + ["--recordings", str(tmp_path / "recordings")],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(packages), *filter(None, sys.path)]),
        },
        capture_output=True,
        text=True,
        timeout=900,
    )
    said = run.stdout + run.stderr
    outcomes = dict(
        re.findall(r"^\S*::(\S+) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)", said, re.M)
    )
    expected = {
        scenario.id: "SKIPPED" if scenario.skip else "XFAIL" if scenario.xfail else "PASSED"
        for scenario in scenarios
    }
    assert outcomes == expected, said
    assert run.returncode == 0, said
