"""A folder that a run is about to fill: made, and found to be writable before anything starts."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import tempfile
from pathlib import Path

from .errors import EnvironmentProblem

_RESULTS = ("metrics.json", "report.html", "viewer.html", "live_spliced.mkv", "live_spliced.mp4")


def make_output_folder(folder: Path, option: str = "") -> None:
    """Makes `folder`, with the folders above it, and tries whether files can be made there.

    Raises EnvironmentProblem where not, which says whose it is; `option` is what chooses
    another one, such as `--output`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise EnvironmentProblem(
            f"nothing can be written in {folder}: {error.strerror}", _remedy(folder, error, option)
        ) from error


def forget_results(folder: Path) -> None:
    """Removes what a run before this one in the same folder came to. One that does not begin, or
    has no picture, would seem to have come to that."""
    for name in _RESULTS:
        with contextlib.suppress(OSError):
            (folder / name).unlink()


def _remedy(folder: Path, error: OSError, option: str) -> str:
    another = f"choose another folder with {option}" if option else "choose another folder"
    if error.errno == errno.ENOSPC:
        return f"free some space there, or {another}"
    # os.path and not Path.exists, which raises below a folder that may not be entered.
    there = next(p for p in (folder, *folder.absolute().parents) if os.path.exists(p))  # noqa: PTH110
    owner = there.stat().st_uid
    if error.errno != errno.EACCES or owner == os.geteuid():
        return another
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = str(owner)
    # As a run as root leaves them behind.
    return f"{there} is {name}'s: {another}, or take it: sudo chown -R $USER {there}"
