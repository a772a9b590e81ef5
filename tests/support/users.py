"""Another user of this machine, as whom root runs a part of a test."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_TRY = """
import subprocess, sys
from harness.native import native
native()
subprocess.run([sys.executable, "-c", ""], check=True)
"""
# CAP_DAC_READ_SEARCH, with which root's own Python (~/.pyenv) can be read; nothing of root's
# can be written, and no process of root's touched.
_READER = ("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search")


class User:
    """A normal user, whose home is a folder of its own; `become` starts a command as that one."""

    def __init__(self, home: Path, uid: int, become: Sequence[str] = ()) -> None:
        self.home = home
        self.uid = uid
        self._become = tuple(become)

    @property
    def reader(self) -> bool:
        """Has a capability to read this checkout."""
        return set(_READER) <= set(self._become)

    def start(self, command: Sequence[str], around: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Starts a command as this user, in its home, without root's environment; it can import
        the harness. Its output is one text. `around` starts it all as who this is."""
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
        }
        return subprocess.Popen(
            (*around, *self._become, *command),
            cwd=self.home,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        """Exit status and output."""
        process = self.start(command)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def python(self, code: str) -> str:
        """What `code` prints."""
        status, output = self.run([sys.executable, "-c", code])
        assert status == 0, output
        return output


@contextmanager
def another_user() -> Iterator[User]:
    """Skips where this is not root, or where another user cannot use this checkout."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory(prefix="uis-user-") as folder:
        nobody = pwd.getpwnam("nobody")
        become = ["setpriv", "--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid)]
        os.chown(folder, nobody.pw_uid, -1)
        said = ""
        for more in ((), _READER):
            user = User(Path(folder), nobody.pw_uid, [*become, "--clear-groups", *more])
            status, said = user.run([sys.executable, "-c", _TRY])
            if status == 0:
                yield user
                return
        pytest.skip(f"another user cannot use this checkout: {said.strip()[-200:]}")


@contextmanager
def normal_user() -> Iterator[User]:
    """This user; another one if this is root."""
    if os.geteuid() == 0:
        with another_user() as user:
            yield user
    else:
        with tempfile.TemporaryDirectory(prefix="uis-user-") as folder:
            yield User(Path(folder), os.geteuid())
