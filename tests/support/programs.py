"""Programs that a test starts, and that do not outlive it, whatever becomes of the test."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_MARK = "UISPLICE_TEST_PROGRAMS"


class Programs:
    """Starts programs in sessions of their own, and ends what still runs of them."""

    def __init__(self) -> None:
        self._mark = f"{os.getpid()}-{time.monotonic_ns()}"
        self._started: list[subprocess.Popen[str]] = []

    def start(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> subprocess.Popen[str]:
        """Its output, both kinds together, is to be read with `communicate`."""
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {}), _MARK: self._mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def end(self) -> None:
        """Interrupts what still runs, so that it tidies up, and kills what then is left of it:
        a browser has a session of its own and outlives a program that was killed."""
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=20)
        for pid in self._marked():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self._started:
            process.wait()
            if process.stdout:
                process.stdout.close()
        self._started.clear()

    def _marked(self) -> list[int]:
        mark = f"{_MARK}={self._mark}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found
