"""Every libFuzzer target for a bounded number of runs, from the same start each time.

`make fuzz` runs the same targets for minutes or hours.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "native/fuzz/corpus"
# A target, the folder of its seeds, and executions: a few seconds each.
TARGETS = [
    ("stream", "stream", 4000),
    ("edited", "stream", 4000),
    ("splice", "splice", 4000),
    ("ring", "ring", 3000),
    ("link", "link", 20000),
]


@pytest.fixture(scope="module")
def binaries() -> Path:
    """Builds the targets; without clang this fails, it does not skip."""
    done = subprocess.run(
        [str(ROOT / "scripts/fuzz.sh"), "build"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"the fuzz targets do not build:\n{done.stdout}{done.stderr}"
    return ROOT / "build/fuzz/native/fuzz"


@pytest.mark.parametrize(("target", "seeds", "runs"), TARGETS)
def test_bounded_fuzzing(binaries: Path, tmp_path: Path, target: str, seeds: str, runs: int):
    found = tmp_path / "found"
    found.mkdir()
    done = subprocess.run(
        [
            str(binaries / f"fuzz_{target}"),
            str(found),
            str(CORPUS / seeds),
            f"-runs={runs}",
            "-seed=1",
            "-timeout=20",
            f"-artifact_prefix={tmp_path}/",
        ],
        env={**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    end = done.stderr[-4000:]
    assert done.returncode == 0, f"fuzz_{target} found something:\n{end}"
    seeds_read = re.search(r"seed corpus: files: (\d+)", done.stderr)
    assert seeds_read is not None and int(seeds_read[1]) == len(list((CORPUS / seeds).iterdir()))
    finished = re.search(r"^Done (\d+) runs in", done.stderr, re.M)
    assert finished is not None and int(finished[1]) >= runs, end
