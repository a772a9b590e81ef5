"""The processes of one Chrome, found in /proc by the profile that they name."""

from __future__ import annotations

import os
from pathlib import Path


def runs(pid: int) -> bool:
    """True while the process exists and is no zombie."""
    fields = _stat(pid)
    return bool(fields) and fields[0] not in ("Z", "X")


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on; nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _command(pid: int) -> str:
    """The command line in one text: Chrome's children put spaces where zero bytes belong."""
    try:
        data = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return data.decode(errors="replace").replace("\0", " ")


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def browser_pid(profile: Path) -> int | None:
    for pid in _all_pids():
        command = _command(pid)
        if f"--user-data-dir={profile}" in command and "--type=" not in command:
            return pid
    return None


def processes_of(profile: Path, browser_pid: int | None) -> list[int]:
    """Live processes that name the profile, or that are in the browser's process group."""
    flags = (f"--user-data-dir={profile}", f"--database={profile}")
    found = []
    for pid in _all_pids():
        fields = _stat(pid)
        if not fields or fields[0] in ("Z", "X") or pid == os.getpid():
            continue
        # Playwright makes Chrome the leader of a group of its own.
        in_group = browser_pid is not None and int(fields[2]) == browser_pid
        command = _command(pid)
        if in_group or any(flag in command for flag in flags):
            found.append(pid)
    return found
