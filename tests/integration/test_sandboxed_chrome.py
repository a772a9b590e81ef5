"""A normal user's Chrome, whose sandbox is on: root's, with which all else is tested, has none."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.traces import Watch, processes
from support.users import User, normal_user

from harness.browser_program import find_browser

pytestmark = pytest.mark.chrome

PAGE = """<!doctype html><title>t</title><style>
body{margin:0;overflow:hidden;background:#234}
video{position:absolute;left:160px;top:96px;width:256px;height:144px;background:#000}</style>
<video muted loop autoplay src=/media/bigbuckbunny.mp4></video>"""
SCENARIO = """
open: page.html
site: site
clips: [bigbuckbunny]
viewport: 640x360
wait: {seconds}s
"""


@pytest.fixture
def user() -> Iterator[User]:
    """With a page, and a browser whose GPU process has its sandbox with lavapipe, too."""
    with normal_user() as user:
        found = user.python(
            "from harness.browser_program import find_browser\n"
            "from harness.errors import EnvironmentProblem\n"
            "from harness.browser_sandbox import describe\n"
            "try: print(describe(find_browser()))\n"
            "except EnvironmentProblem as problem: print('none:', problem.remedy)"
        )
        if not found.startswith("on, "):
            pytest.skip(f"Chrome's sandbox: {found}")
        if user.reader and "namespaces" not in found:
            pytest.skip("the sandbox's helper takes the right to read this checkout from Chrome")
        compiler = shutil.which("cc")
        assert compiler, "make setup installs a compiler"
        preloaded, browser = user.home / "one_thread.so", user.home / "browser"
        source = Path(__file__).parents[1] / "support" / "one_thread.c"
        options = ["-std=c11", "-Wall", "-Werror", "-shared", "-fPIC"]
        subprocess.run([compiler, *options, str(source), "-o", str(preloaded), "-ldl"], check=True)
        browser.write_text(f'#!/bin/sh\nLD_PRELOAD={preloaded} exec {find_browser()} "$@"\n')
        browser.chmod(0o755)
        (user.home / "site").mkdir()
        (user.home / "site" / "page.html").write_text(PAGE)
        yield user


def start(user: User, seconds: int, *options: str) -> subprocess.Popen[str]:
    (user.home / "film.yaml").write_text(SCENARIO.format(seconds=seconds))
    command = [sys.executable, "-m", "harness.cli", "run", "film.yaml", "--encode", "layer"]
    browser = str(user.home / "browser")
    return user.start([*command, "--browser", browser, "--output", "out", *options])


def left_by(user: User, watch: Watch) -> set[str]:
    """What this user's processes have left since; other users may be recording, too."""

    def is_theirs(what: str) -> bool:
        try:
            place = Path(what) if what.startswith("/") else Path("/proc", what.split()[0])
            return place.stat().st_uid == user.uid
        except FileNotFoundError:  # gone meanwhile
            return False

    return {what for what in watch.new() if is_theirs(what)}


def await_encoders(user: User, run: subprocess.Popen[str]) -> Path:
    """/proc/PID of the GPU process, once it encodes."""
    until = time.monotonic() + 60
    while run.poll() is None and time.monotonic() < until:
        for line in processes(("--type=gpu-process",)):
            process = Path("/proc", line.split()[0])
            try:
                threads = {(task / "comm").read_text() for task in (process / "task").iterdir()}
                mine = process.stat().st_uid == user.uid
            except OSError:  # it has just ended
                continue
            if mine and "uis-host-pump\n" in threads:
                assert {"uis-recorder\n", "uis-host\n", "uisplice\n"} <= threads
                return process
        time.sleep(0.05)
    run.kill()
    raise AssertionError(f"nobody encodes in Chrome: {run.communicate()[0]}")


def test_encoders_inside_the_sandbox(user: User) -> None:
    """A video's region and a tape: new encoders, threads and files, where the kernel lets the
    process open nothing any more."""
    watch = Watch()
    run = start(user, 3, "--tape-record", "tapes")
    status = (await_encoders(user, run) / "status").read_text()
    output, _ = run.communicate(timeout=90)
    assert "Seccomp:\t2\n" in status, status
    assert "NoNewPrivs:\t1\n" in status, status
    assert run.returncode == 0, output
    assert "exact in FFmpeg" in output and "region restarts" in output
    assert " 0 spliced" not in output
    assert (user.home / "tapes" / "film.tape.mkv").stat().st_size > 100_000
    assert left_by(user, watch) == set()


def test_ctrl_c_ends_a_sandboxed_chrome(user: User) -> None:
    watch = Watch()
    run = start(user, 60)
    await_encoders(user, run)
    time.sleep(1)
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 130, output
    assert "interrupted; what was recorded until then is kept" in output
    assert left_by(user, watch) == set()
    assert (user.home / "out" / "film" / "live_spliced.mkv").stat().st_size > 0
