"""What is said of a machine that does not keep up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.headroom import Usage, UsageMeter, complaint, complaints_in


@pytest.mark.parametrize(
    ("dropped", "usage", "said"),
    [
        (0, None, None),
        (0, Usage(0.5, 0.0), None),
        (0, Usage(0.95, 0.0), "this machine hardly keeps up: 95 % of"),
        # What the host takes away is not there for anybody.
        (0, Usage(0.7, 0.25), "25 % stolen by the host"),
        (7, Usage(0.98, 0.0), "this machine does not keep up: 7 of 100 presents were dropped"),
        (7, Usage(0.98, 0.0), "use fewer workers"),
        (7, Usage(0.4, 0.0), "7 of 100 presents were dropped though only 40 % of"),
        (7, None, "7 of 100 presents were dropped; read chrome.log"),
    ],
)
def test_complaints(dropped: int, usage: Usage | None, said: str | None) -> None:
    text = complaint(dropped, 100, usage)
    assert text is None if said is None else said in (text or "")


def test_a_replay_is_not_judged_by_this_machine() -> None:
    assert complaint(0, 100, Usage(1, 0), live=False) is None
    said = complaint(7, 100, None, live=False)
    assert said and said.startswith("7 of 100 presents were dropped when the tape was recorded")


def test_a_busy_process_is_seen() -> None:
    """Every processor busy for a moment; others may be busy as well."""
    meter = UsageMeter()
    busy = "import time; until = time.monotonic() + 0.7\nwhile time.monotonic() < until: pass"
    children = [subprocess.Popen([sys.executable, "-c", busy]) for _ in range(os.cpu_count() or 1)]
    for child in children:
        child.wait(timeout=60)
    usage = meter.usage()
    assert usage is not None
    assert usage.busy + usage.stolen > 0.6


def test_all_recordings_of_a_folder(tmp_path: Path) -> None:
    for name, said in (("a", "slow"), ("b", None), ("test_x/c", "slower")):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        text = json.dumps({"outcome": {"headroom": said}})
        (folder / "metrics.json").write_text(text)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "metrics.json").write_text("{")
    assert complaints_in(tmp_path) == ["a: slow", "test_x/c: slower"]
