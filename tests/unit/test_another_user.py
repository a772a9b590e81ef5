"""What another user, often root, has left on this machine is no obstacle, or a clear error."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.users import User, another_user


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    with another_user() as user:
        yield user


def test_shared_memory_of_a_dead_run(user: User) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    ring = Path(f"/dev/shm/uisplice-{ended.pid}-0-of-root")
    ring.touch(mode=0o600)
    try:
        said = user.python(
            "from harness.ring import FrameRing\n"
            "with FrameRing(64, 48) as ring: print(ring.counters().state)"
        )
    finally:
        ring.unlink(missing_ok=True)
    assert said == "none\n"


PROBLEM = """
from harness.errors import EnvironmentProblem
try: {call}
except EnvironmentProblem as problem: print(problem)
"""


def test_a_folder_of_roots(user: User) -> None:
    with tempfile.TemporaryDirectory(dir=user.home) as folder:
        said = user.python(
            "from pathlib import Path\n"
            "from harness.output_folder import make_output_folder\n"
            + PROBLEM.format(call=f"make_output_folder(Path({folder!r}, 'demo'), '--output')")
        )
        (user.home / "x.yaml").write_text("open: https://example.org\nwait: 1s\n")
        command = [sys.executable, "-m", "harness.cli", "run", "x.yaml", "--output", folder]
        status, printed = user.run(command)
        ended, complained = user.run(
            [sys.executable, "-m", "pytest", "-q", "x.yaml", "--recordings", f"{folder}/r"]
        )
    assert f"nothing can be written in {folder}/demo: Permission denied" in said
    assert f"{folder} is root's: choose another folder with --output, or take it: " in said
    assert f"sudo chown -R $USER {folder}" in said
    assert ended == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: nothing can be written in {folder}/r/allure-results: Permission" in complained
    assert status == 3
    assert printed.startswith(f"harness: nothing can be written in {folder}: Permission denied")


def test_a_name_in_tmp_that_is_taken(user: User) -> None:
    with tempfile.TemporaryDirectory() as folder:
        said = user.python(
            "from pathlib import Path\nfrom harness.turns import Turns\n"
            + PROBLEM.format(call=f"Turns(1, Path({folder!r})).take()")
        )
    assert f"{folder}, where runs take turns, is another user's" in said
    assert "TMPDIR" in said


def test_an_x_server_that_may_make_no_socket(user: User) -> None:
    """As in WSL, where /tmp/.X11-unix is mounted read-only. In a mount namespace."""
    isolated = subprocess.run(["unshare", "--mount", "true"], capture_output=True)
    if isolated.returncode != 0:
        pytest.skip("no mount namespace can be made here")
    code = (
        "from harness.display import VirtualDisplay\n"
        "def enter():\n"
        "    with VirtualDisplay(64, 48): pass\n" + PROBLEM.format(call="enter()")
    )
    mount = 'mount -t tmpfs -o mode=0755 none /tmp/.X11-unix && exec "$@"'
    process = user.start(
        [sys.executable, "-c", code], around=("unshare", "--mount", "sh", "-c", mount, "sh")
    )
    said, _ = process.communicate(timeout=60)
    assert "cannot make its socket in /tmp/.X11-unix" in said
    assert "sudo chmod 1777 /tmp/.X11-unix" in said
