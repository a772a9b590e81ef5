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
        # Two at once: what they expect holds on a busy machine, and half the time is starting
        # Chrome and checking streams.
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "-n2", "--at-once=2"]
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
        (name, outcome)
        for outcome, name in re.findall(
            r"^\[gw\d\] .*?(PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS) \S*::(\S+)", said, re.M
        )
    )
    expected = {
        scenario.id: "SKIPPED" if scenario.skip else "XFAIL" if scenario.xfail else "PASSED"
        for scenario in scenarios
    }
    assert {name: outcomes.get(name) for name in expected} == expected, said
    assert run.returncode == 0, said
