"""Turns: as many recordings at once as the processors are good for.

Under pytest-xdist each worker has its own display, port, memory and profile, but not its own
processors. Two recordings that fight for them measure the fight. So a worker waits until it
is its turn; with a processor pair for each, nobody waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from pathlib import Path
from typing import IO

from .errors import EnvironmentProblem

PROCESSORS_EACH = 2  # Chrome's painting, and everything else
_POLL = 0.1  # seconds


def at_once(processors: int | None = None) -> int:
    """How many recordings this machine can have at once; at least one."""
    if processors is None:
        processors = len(os.sched_getaffinity(0))
    return max(1, processors // PROCESSORS_EACH)


class Turns:
    """Of `count` turns on this machine one is held between `take` and `give_back`.

    The turns are locked files, so that a worker that is killed gives its own back. All runs
    of one user share them.
    """

    def __init__(self, count: int, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir()) / f"uisplice-turns-{os.getuid()}"
        self._count = count
        self._held: IO[bytes] | None = None

    def take(self) -> float:
        """Waits for a turn; gives the seconds that took. Nothing if one is held.

        Raises EnvironmentProblem where another user has taken the folder's name.
        """
        began = time.monotonic()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if self._folder.lstat().st_uid != os.getuid():
            raise EnvironmentProblem(
                f"{self._folder}, where runs take turns, is another user's",
                "have it removed, or set TMPDIR to a folder of your own",
            )
        while self._held is None:
            for number in range(self._count):
                file = (self._folder / str(number)).open("ab")
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    file.close()
                    continue
                self._held = file
                return time.monotonic() - began
            time.sleep(_POLL)
        return 0.0

    def give_back(self) -> None:
        """Nothing if none is held."""
        if self._held is not None:
            with contextlib.suppress(OSError):
                self._held.close()
            self._held = None
