"""What a run must not leave behind."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path


def processes(words: tuple[str, ...] = ("uisplice-profile-", "Xvfb -displayfd")) -> set[str]:
    """`PID command` of every living process whose command holds one of the words."""
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            raw = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        command = raw.replace(b"\0", b" ").decode("utf-8", "replace").strip()
        if any(word in command for word in words):
            found.add(f"{entry.name} {command[:120]}")
    return found


def left_behind() -> set[str]:
    """Processes, shared memory and profiles of this project that exist now."""
    shared = {str(p) for p in Path("/dev/shm").glob("uisplice-[0-9]*-*-*")}
    profiles = {str(p) for p in Path(tempfile.gettempdir()).glob("uisplice-profile-*")}
    return processes() | shared | profiles


class Watch:
    """Compares before and after, and waits a little for processes that are ending."""

    def __init__(self) -> None:
        self.before = left_behind()

    def new(self, patience: float = 5.0) -> set[str]:
        until = time.monotonic() + patience
        while (extra := left_behind() - self.before) and time.monotonic() < until:
            time.sleep(0.1)
        return extra
