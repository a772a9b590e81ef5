"""Temporary profiles: locked while in use, removed also when their owner was killed."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from pathlib import Path
from typing import IO

PROFILE_PREFIX = "uisplice-profile-"
_LOCK = "in-use"


def remove_folder(folder: Path) -> None:
    """A killed process may still be closing files: tries again for a moment."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.05)


def hold(folder: Path) -> IO[bytes]:
    """Locks the folder for as long as the file stays open, also against other containers."""
    file = (folder / _LOCK).open("wb")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def remove_stale_profiles() -> None:
    """Profiles of harness processes that were killed before they could remove them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PROFILE_PREFIX}*"):
        try:
            with (folder / _LOCK).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # in use, just being made, or another user's
            continue
        shutil.rmtree(folder, ignore_errors=True)
