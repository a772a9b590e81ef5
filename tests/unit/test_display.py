"""The virtual display: starts, says its name, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.display import VirtualDisplay
from harness.errors import EnvironmentProblem

needs_xvfb = pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")


def leftovers(name: str) -> list[Path]:
    number = name.lstrip(":")
    places = [Path(f"/tmp/.X{number}-lock"), Path(f"/tmp/.X11-unix/X{number}")]
    return [place for place in places if place.exists()]


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone_within(pid: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while runs(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not runs(pid)


@needs_xvfb
def test_starts_and_leaves_nothing() -> None:
    with VirtualDisplay(320, 240) as display:
        name, pid = display.name, display.pid
        assert pid is not None
        assert runs(pid)
        assert os.getpgid(pid) == pid
        assert leftovers(name)
        screen = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        assert b"384x304x24" in screen
    assert not runs(pid)
    assert not leftovers(name)
    assert display.pid is None
    with pytest.raises(RuntimeError):
        _ = display.name


@needs_xvfb
def test_two_have_two_names() -> None:
    with VirtualDisplay(320, 240) as one, VirtualDisplay(320, 240) as two:
        assert one.name != two.name


@needs_xvfb
def test_a_display_in_use_is_refused() -> None:
    with (
        VirtualDisplay(320, 240) as one,
        pytest.raises(EnvironmentProblem, match=f"display {one.name} is in use"),
        VirtualDisplay(320, 240, name=one.name),
    ):
        pass


@needs_xvfb
def test_a_killed_server_leaves_no_lock() -> None:
    with VirtualDisplay(320, 240) as display:
        name = display.name
        assert display.pid is not None
        os.kill(display.pid, signal.SIGKILL)
    assert not leftovers(name)


@needs_xvfb
def test_dies_with_its_process() -> None:
    program = (
        "import os, signal\n"
        "from harness.display import VirtualDisplay\n"
        "display = VirtualDisplay(320, 240).__enter__()\n"
        "print(display.pid, display.name, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    pid, name = result.stdout.split()
    assert gone_within(int(pid), 5)
    assert not leftovers(name)


def test_missing_program_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match="Xvfb is not installed") as caught:
        VirtualDisplay(320, 240).__enter__()
    assert "apt install xvfb" in caught.value.remedy


def test_a_server_that_ends_at_once_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "Xvfb"
    fake.write_text("#!/bin/sh\necho 'no fonts' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(EnvironmentProblem, match="Xvfb did not start: no fonts"):
        VirtualDisplay(320, 240).__enter__()
