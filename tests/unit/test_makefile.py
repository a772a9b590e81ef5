"""What targets of the Makefile do to files."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_clean_leaves_the_environment_and_the_history(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    reports = tmp_path / "reports"
    for folder in ("demo/netflix_ui", "a run", "nightly", "node_modules/allure"):
        (reports / folder).mkdir(parents=True)
    (reports / "latest").symlink_to("nightly")
    kept = {"history.jsonl", "package.json", "render.mjs", "README.md"}
    for name in (*kept, "summary.html", "summary.md", "trends.html"):
        (reports / name).touch()
    for times in ("first", "second"):
        made = subprocess.run(
            ["make", "clean", "REPORTS=reports"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"]},  # not the flags of the make that runs the tests
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, f"{times} time: {made.stderr}"
        assert {path.name for path in reports.iterdir()} == {*kept, "node_modules"}
    assert (reports / "node_modules" / "allure").is_dir()
