"""Chrome's sandbox: whether Chrome has one for this user, and what to do where it cannot.

A normal user's Chrome needs namespaces of the kernel's that any user may make, or the helper
`chrome-sandbox`, which is root's and setuid. Without either it does not start. Root's Chrome has
no sandbox at all.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from .errors import BrowserError, EnvironmentProblem

SANDBOX_VARIABLE = "UISPLICE_SANDBOX"
_ROOT = Path("/")
_CAP_SYS_ADMIN = 21  # its bit: capabilities(7)
_DEBIANS = "usr/lib/chromium"  # where Debian's package has the browser and its helper
# What the browser process says (content/browser/zygote_host, sandbox/linux) before it ends.
_REFUSED = re.compile(
    r"No usable sandbox|SUID sandbox helper binary|Failed to move to new namespace"
)
# User, PID and network namespace at once (clone(2)): those that Chrome's processes get.
_TRY_NAMESPACES = "import ctypes; raise SystemExit(ctypes.CDLL(None).unshare(0x70000000) != 0)"


def sandboxed(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether Chrome is to be started with its sandbox: not for root, for whom Chrome refuses
    it, and not where $UISPLICE_SANDBOX is `off`.

    Raises BrowserError where the variable says anything but on or off.
    """
    chosen = environment.get(SANDBOX_VARIABLE, "")
    if chosen not in ("", "on", "off"):
        raise BrowserError(
            f"${SANDBOX_VARIABLE} is '{chosen}'", "make it on or off, or leave it out (on)"
        )
    return chosen != "off" and os.geteuid() != 0


def was_refused(log: str) -> bool:
    """Whether Chrome's log says that it ended because it found no sandbox."""
    return _REFUSED.search(log) is not None


def describe(program: Path, root: Path = _ROOT) -> str:
    """What sandbox the browser `program` has when this user starts it.

    Raises EnvironmentProblem where it finds none. `root` is where the system's files are.
    """
    if not sandboxed():
        return "off: this is root" if os.geteuid() == 0 else f"off: ${SANDBOX_VARIABLE}"
    if _namespaces_can_be_made():
        return "on, by user namespaces"
    if (helper := _helper(program, root)) is not None:
        return f"on, by {helper}"
    if _setting(root, "kernel/apparmor_restrict_unprivileged_userns") == "1":
        # By program, so that what this one may says nothing about Chrome.
        return "AppArmor decides for each program; a capture shows it"
    raise EnvironmentProblem("Chrome finds none for this user", remedy(program, root))


def remedy(program: Path, root: Path = _ROOT) -> str:
    """What to do where the browser `program` finds no sandbox, on this machine."""
    advice = []
    if _setting(root, "kernel/unprivileged_userns_clone") == "0":
        advice.append("sudo sysctl -w kernel.unprivileged_userns_clone=1")
    elif _setting(root, "user/max_user_namespaces") == "0":
        advice.append("sudo sysctl -w user.max_user_namespaces=10000")
    elif _setting(root, "kernel/apparmor_restrict_unprivileged_userns") == "1":
        advice.append(
            "use Google Chrome from its .deb, for which AppArmor has a profile "
            "(UISPLICE_BROWSER=/opt/google/chrome/chrome)"
        )
        advice.append("sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0")
    elif (root / ".dockerenv").exists() or (root / "run/.containerenv").exists():
        advice.append(
            "start the container with a seccomp profile that lets users make namespaces "
            "(--security-opt seccomp=unconfined has no limits at all)"
        )
    if _is_debians(program, root) and _helper(program, root) is None and _setuid_is_enough(root):
        advice.append("sudo apt install chromium-sandbox, a helper that needs no namespaces")
    advice.append(f"{SANDBOX_VARIABLE}=off, if every page that is opened can be trusted")
    return "; or ".join(advice)


def _setting(root: Path, name: str) -> str:
    """A kernel setting's value; "" where this kernel has no such setting."""
    try:
        return (root / "proc/sys" / name).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _setuid_is_enough(root: Path) -> bool:
    """Whether a helper of root's could make namespaces: most containers have that taken away."""
    try:
        status = (root / "proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True
    bounding = re.search(r"^CapBnd:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return bounding is None or bool(int(bounding[1], 16) >> _CAP_SYS_ADMIN & 1)


def _namespaces_can_be_made() -> bool:
    """Tried in a process of its own, which is then in them."""
    return subprocess.run([sys.executable, "-I", "-S", "-c", _TRY_NAMESPACES]).returncode == 0


def _is_debians(program: Path, root: Path) -> bool:
    """Debian's /usr/bin/chromium is a script that runs the one in /usr/lib."""
    named = program.resolve()
    return named == root / "usr/bin/chromium" or named.is_relative_to(root / _DEBIANS)


def _helper(program: Path, root: Path) -> Path | None:
    """The browser's setuid helper, where it can do its work."""
    folder = root / _DEBIANS if _is_debians(program, root) else program.resolve().parent
    helper = folder / "chrome-sandbox"
    try:
        state = helper.stat()
    except OSError:
        return None
    return helper if state.st_uid == 0 and state.st_mode & stat.S_ISUID else None
