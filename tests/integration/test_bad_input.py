"""Bad input and bad luck: each ends with one clear message, the evidence kept,
and nothing left behind. Driven through the real command line, as a user would."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import av
import pytest
from support.programs import Programs
from support.traces import Watch, processes

from harness.browser_program import find_browser
from harness.native import library_dir

pytestmark = pytest.mark.chrome

PAGE = """<!doctype html><title>t</title><body style="background:#123;color:#fff">
<h1 id=t>0</h1><script>
let n = 0; setInterval(() => { document.getElementById('t').textContent = ++n; }, 100);
</script>"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "page.html").write_text(PAGE)
    return tmp_path


programs = Programs()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    watch = Watch()
    yield
    left = watch.new()
    programs.end()  # what runs after a test that failed would disturb the next one
    assert not left


def scenario(folder: Path, text: str) -> Path:
    path = folder / "case.yaml"
    path.write_text(text)
    return path


def start(folder: Path, path: Path, *arguments: str, **environment: str) -> Popen[str]:
    command = [sys.executable, "-m", "harness.cli", "run", path, "--output", folder / "out"]
    return programs.start([*command, *arguments], environment)


def run(folder: Path, path: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    process = start(folder, path, *arguments, **environment)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def pictures(folder: Path) -> int:
    """Decodes what was recorded; raises if it does not play."""
    with av.open(str(folder / "out" / "case" / "live_spliced.mkv")) as container:
        return sum(1 for _ in container.decode(video=0))


IDLE = "open: page.html\nwait: 2s\n"
LONG = "open: page.html\nwait: 60s\n"


def test_no_browser(folder: Path):
    code, output = run(folder, scenario(folder, IDLE), "--browser", "/nonexistent/chrome")
    assert code == 3
    assert "the browser '/nonexistent/chrome', named, is no program" in output
    assert "what to do: install Google Chrome or Chromium" in output
    assert "Traceback" not in output


def test_no_vulkan_driver(folder: Path):
    code, output = run(folder, scenario(folder, IDLE), VK_DRIVER_FILES="/nonexistent.json")
    assert code == 3
    assert "no Vulkan driver is installed: $VK_DRIVER_FILES names /nonexistent.json" in output
    assert "apt install mesa-vulkan-drivers" in output


def test_no_layer(folder: Path):
    bare = folder / "lib"
    bare.mkdir()
    shutil.copytree(library_dir() / "include", bare / "include")
    shutil.copy(library_dir() / "libuisplice.so", bare)
    code, output = run(folder, scenario(folder, IDLE), UISPLICE_LIB_DIR=str(bare))
    assert code == 3
    assert "the Vulkan layer is incomplete" in output
    assert "libVkLayer_uisplice.so is missing" in output


def test_presents_without_damage(folder: Path):
    wrapper = folder / "chrome-in-process-gpu"
    wrapper.write_text(f'#!/bin/sh\nexec "{find_browser()}" "$@" --in-process-gpu\n')
    wrapper.chmod(0o755)
    code, output = run(folder, scenario(folder, IDLE), "--browser", str(wrapper))
    assert code == 3
    assert "frames came without damage rectangles" in output
    assert "VulkanFromANGLE" in output


def test_invalid_yaml_and_unknown_names_are_told_together(folder: Path):
    path = scenario(
        folder,
        "open: page.html\nviewport: 1281x720\nphases:\n"
        '  - phase: A\n    steps:\n      - clik: "text=x"\n',
    )
    code, output = run(folder, path)
    assert code == 2
    assert "case.yaml:2:11:" in output
    assert "case.yaml:6:9: unknown step 'clik'" in output
    assert "did you mean 'click'?" in output
    assert not (folder / "out").exists()


@pytest.mark.parametrize("kind", ["missing", "broken"])
def test_a_clip_that_is_missing_or_does_not_decode(folder: Path, kind: str):
    if kind == "broken":
        (folder / "nosuchclip.mp4").write_bytes(b"\0" * 5000)
    path = scenario(folder, "open: page.html\nclips: [nosuchclip]\nwait: 1s\n")
    code, output = run(folder, path)
    assert code == 2
    assert "nosuchclip" in output
    assert "what to do:" in output


def test_a_selector_that_never_appears_keeps_the_evidence(folder: Path):
    path = scenario(
        folder,
        "open: page.html\ntimeout: 1s\nphases:\n  - phase: Look\n"
        '    steps:\n      - wait: 500ms\n      - click: "text=Nowhere"\n',
    )
    code, output = run(folder, path)
    assert code == 1
    assert "phase 'Look'" in output and "case.yaml:7" in output
    assert "no element matched within 1s" in output.replace("1 s", "1s")
    assert pictures(folder) > 5
    metrics = json.loads((folder / "out/case/metrics.json").read_text())
    outcome = metrics["outcome"]
    assert outcome["passed"] is False and "Nowhere" in outcome["problems"][0]
    assert re.search(r"\d+\.\d+", metrics["environment"]["vulkan driver"])
    assert list((folder / "out/case/screenshots").glob("*at-failure.png"))
    assert list((folder / "out/case/captured").glob("*at-failure.png"))
    report = (folder / "out/case/report.html").read_text(encoding="utf-8")
    assert re.search(r"<h3>at failure \(tick \d+, picture \d+\)</h3>", report)


def test_a_page_that_is_never_ready_is_shown_and_the_next_case_is_played(folder: Path):
    text = (
        'matrix: {id: [nowhere, t]}\nopen: page.html\nready: "#${id}"\ntimeout: 1s\nwait: 500ms\n'
    )
    code, output = run(folder, scenario(folder, text))
    assert code == 1
    assert "before the first phase" in output and "no element matched within 1s" in output
    picture = folder / "out/case-nowhere/screenshots/01-not-ready.png"
    assert str(picture) in output and picture.read_bytes().startswith(b"\x89PNG")
    metrics = json.loads((folder / "out/case-t/metrics.json").read_text())
    assert metrics["scenario"].startswith("case")


def test_a_port_in_use(folder: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, output = run(folder, scenario(folder, IDLE), "--port", str(port))
    assert code == 3
    assert str(port) in output and "in use" in output


def test_a_display_in_use(folder: Path):
    from harness.display import VirtualDisplay

    with VirtualDisplay(320, 240) as display:
        code, output = run(folder, scenario(folder, IDLE), "--display", display.name)
        assert code == 3
        assert f"display {display.name} is in use" in output


def coded(stream: Path) -> int:
    """Pictures in a file that is being written."""
    try:
        with av.open(str(stream)) as container:
            return sum(packet.size > 0 for packet in container.demux(video=0))
    except (OSError, IndexError, av.FFmpegError):
        return 0  # not there, or not yet its head


def await_recording(folder: Path, name: str = "case") -> None:
    """Until the stream's file holds a dozen pictures."""
    stream = folder / "out" / name / "live_spliced.mkv"
    until = time.monotonic() + 90
    while (pictures := coded(stream)) < 12:
        assert time.monotonic() < until, f"{pictures} pictures after a minute and a half"
        time.sleep(0.2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_polite_kill(folder: Path, number: signal.Signals):
    process = start(folder, scenario(folder, LONG))
    await_recording(folder)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "interrupted; what was recorded until then is kept" in output
    assert "Traceback" not in output
    assert pictures(folder) > 10
    metrics = json.loads((folder / "out/case/metrics.json").read_text())
    assert metrics["checks"][0]["status"] == "not run"


def test_ctrl_c_to_the_whole_process_group(folder: Path):
    """What a terminal does: Playwright's driver gets it too."""
    process = start(folder, scenario(folder, LONG))
    await_recording(folder)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert pictures(folder) > 10


def test_ctrl_c_with_two_workers(folder: Path):
    """pytest-xdist's workers get it as well: each ends its Chrome and keeps its file."""
    names = ("one", "two")
    for name in names:
        scenario(folder, LONG).rename(folder / f"{name}.yaml")
    process = programs.start(
        [sys.executable, "-m", "pytest", "-n", "2", "--at-once", "2", "--recordings", "out", "."],
        folder=folder,
    )
    for name in names:
        await_recording(folder, name)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=90)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    for name in names:
        metrics = json.loads((folder / "out" / name / "metrics.json").read_text())
        assert metrics["outcome"]["problems"] == ["interrupted"]


def test_chrome_dies(folder: Path):
    before = processes(("uisplice-profile-",))
    process = start(folder, scenario(folder, LONG))
    await_recording(folder)
    for line in processes(("uisplice-profile-",)) - before:
        try:
            os.kill(int(line.split()[0]), signal.SIGKILL)
        except ProcessLookupError:
            continue
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 3, output
    # Which of the two is seen first is a race between Playwright and the kernel.
    assert "Chrome closed its window" in output or "Chrome has ended" in output, output
    assert "browser's log" in output
    assert "Traceback" not in output
    assert pictures(folder) > 10


def test_a_killed_harness_leaves_a_playable_file_and_the_next_run_cleans_up(folder: Path):
    process = start(folder, scenario(folder, LONG))
    await_recording(folder)
    process.kill()
    process.communicate(timeout=30)
    assert pictures(folder) > 10
    code, output = run(folder, scenario(folder, "open: page.html\nwait: 1s\n"))
    assert code == 0, output
