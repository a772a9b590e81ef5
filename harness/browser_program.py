"""Which program is the browser: named, or found, and no snap."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .errors import BrowserError

BROWSER_VARIABLE = "UISPLICE_BROWSER"
BROWSER_NAMES = ("google-chrome", "google-chrome-stable", "chromium", "chromium-browser")

INSTALL_REMEDY = (
    "install Google Chrome or Chromium (Debian: apt install chromium), "
    f"or name the program in ${BROWSER_VARIABLE}"
)
SNAP_REMEDY = (
    "a snap sees neither the layer nor the profile; install Google Chrome's .deb, "
    f"or name another program in ${BROWSER_VARIABLE}"
)


def find_browser(explicit: str | None = None) -> Path:
    """The browser's program: `explicit`, else $UISPLICE_BROWSER, else the usual names.

    `explicit` and the variable may be a path or a name on $PATH. Raises BrowserError
    where there is none, or where it is only a stub that starts a snap.
    """
    for wanted, source in (
        (explicit, "named"),
        (os.environ.get(BROWSER_VARIABLE), f"named in ${BROWSER_VARIABLE}"),
    ):
        if wanted:
            found = shutil.which(wanted)
            if found is None:
                raise BrowserError(
                    f"the browser '{wanted}', {source}, is no program", INSTALL_REMEDY
                )
            if _is_snap(Path(found)):
                raise BrowserError(f"the browser '{wanted}' is a snap", SNAP_REMEDY)
            return Path(found)
    snap = None
    for name in BROWSER_NAMES:
        found = shutil.which(name)
        if found is not None and not _is_snap(Path(found)):
            return Path(found)
        snap = snap or found
    if snap is not None:
        raise BrowserError(f"the only browser found, {snap}, is a snap", SNAP_REMEDY)
    raise BrowserError(f"no browser found ({', '.join(BROWSER_NAMES)})", INSTALL_REMEDY)


def _is_snap(program: Path) -> bool:
    """Ubuntu's `chromium-browser` is a script that runs (or asks for) the snap."""
    real = program.resolve()
    if real.name == "snap" or "/snap/" in f"{program} {real}":
        return True
    try:
        with real.open("rb") as file:
            start = file.read(4096)
    except OSError:
        return False
    return start.startswith(b"#!") and (b"/snap/bin/" in start or b"snap install" in start)
