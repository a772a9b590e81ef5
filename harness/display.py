"""A virtual X display of our own, so that Chrome has a window nobody sees."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO

from typing_extensions import Self

from harness.errors import EnvironmentProblem

# A window as large as the screen comes out one pixel short, so the screen is larger.
SCREEN_MARGIN = 64
START_TIMEOUT = 15.0  # seconds
STOP_TIMEOUT = 5.0
_PR_SET_PDEATHSIG = 1
_SOCKETS = Path("/tmp/.X11-unix")


class VirtualDisplay:
    """An Xvfb whose screen holds a window of `width` x `height` pixels at 0,0.

    >>> with VirtualDisplay(1280, 720) as display:
    ...     display.name  # ':99'

    `name` picks a display number (":7"); without it a free one is found. The server
    listens on a local socket only and dies with this process, even if that is killed;
    enter the context in a thread that lives as long as the process, for the kernel
    counts the starting thread as the parent.

    Raises EnvironmentProblem on entry where Xvfb is missing, does not start, or the
    display asked for is in use.
    """

    def __init__(self, width: int, height: int, name: str | None = None) -> None:
        self.width = width
        self.height = height
        self._wanted = name
        self._name: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    @property
    def name(self) -> str:
        """What $DISPLAY must be. Raises RuntimeError while no server runs."""
        if self._name is None:
            raise RuntimeError("the virtual display is not running")
        return self._name

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        program = shutil.which("Xvfb")
        if program is None:
            raise EnvironmentProblem(
                "Xvfb is not installed", "install it: apt install xvfb (or your system's package)"
            )
        wanted = self._wanted
        if wanted is not None and _in_use(wanted):
            raise EnvironmentProblem(
                f"display {wanted} is in use", "leave the display out, then a free one is found"
            )
        read_end, write_end = os.pipe()
        screen = f"{self.width + SCREEN_MARGIN}x{self.height + SCREEN_MARGIN}x24"
        command = [program, *([wanted] if wanted else []), "-displayfd", str(write_end)]
        command += ["-screen", "0", screen, "-nolisten", "tcp", "-noreset"]
        self._log = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(write_end,),
                start_new_session=True,
                preexec_fn=_die_with_parent(os.getpid()),
            )
        except OSError as error:
            os.close(read_end)
            self._stop()
            raise EnvironmentProblem(
                f"Xvfb did not start: {error}", "check that Xvfb runs by hand"
            ) from error
        finally:
            os.close(write_end)
        try:
            number = _read_line(read_end, START_TIMEOUT)
            if not number:
                self._fail()
            self._name = f":{number}"
            _park_pointer(self._name, self.width + SCREEN_MARGIN, self.height + SCREEN_MARGIN)
        except BaseException:
            self._stop()
            raise
        finally:
            os.close(read_end)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _fail(self) -> None:
        assert self._log is not None
        self._log.seek(0)
        said = self._log.read().decode(errors="replace").strip().splitlines()
        reason = next((line for line in said if "listening sockets" in line), "")
        if self._wanted and reason:
            raise EnvironmentProblem(
                f"display {self._wanted} is in use",
                "leave the display out, then a free one is found",
            )
        if any("socket" in line for line in said) and not os.access(_SOCKETS, os.W_OK):
            raise EnvironmentProblem(
                f"Xvfb did not start: this user cannot make its socket in {_SOCKETS}",
                f"sudo chmod 1777 {_SOCKETS} (in WSL before: sudo mount -o remount,rw {_SOCKETS})",
            )
        last = said[-1] if said else f"it said nothing for {START_TIMEOUT:g} s"
        raise EnvironmentProblem(f"Xvfb did not start: {last}", "check that Xvfb runs by hand")

    def _stop(self) -> None:
        process, self._process = self._process, None
        try:
            if process is not None:
                _end(process)
                _remove_leftovers(self._name)
        finally:
            self._name = None
            if self._log is not None:
                self._log.close()
                self._log = None


def _die_with_parent(parent: int) -> Callable[[], None]:
    """A function for the child, between fork and exec: it ends when `parent` does."""
    prctl = ctypes.CDLL(None).prctl  # looked up here: after fork only calls are safe

    def arm() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)

    return arm


def _park_pointer(display: str, width: int, height: int) -> None:
    """Moves the X pointer to the last pixel of a screen of `width` x `height`, off the window.

    A server starts with it in the middle, and Chrome tells the page that the mouse is
    there as soon as another window (a dialog, a list, another browser) comes or goes.
    """
    try:
        x11 = ctypes.CDLL("libX11.so.6")  # Chrome itself needs it
    except OSError as error:
        raise EnvironmentProblem(
            f"the X client library is not installed: {error}", "install it: apt install libx11-6"
        ) from error
    pointer, window, number = ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int
    x11.XOpenDisplay.argtypes, x11.XOpenDisplay.restype = [ctypes.c_char_p], pointer
    x11.XDefaultRootWindow.argtypes, x11.XDefaultRootWindow.restype = [pointer], window
    x11.XWarpPointer.argtypes = [
        *(pointer, window, window),  # display, source (none: from anywhere), destination
        *(number, number, ctypes.c_uint, ctypes.c_uint),  # the source's rectangle, unused
        *(number, number),
    ]
    x11.XCloseDisplay.argtypes = [pointer]  # flushes what was asked
    connection = x11.XOpenDisplay(display.encode())
    if not connection:
        raise EnvironmentProblem(f"the display {display} takes no clients", "start again")
    try:
        root = x11.XDefaultRootWindow(connection)
        x11.XWarpPointer(connection, 0, root, 0, 0, 0, 0, width - 1, height - 1)
    finally:
        x11.XCloseDisplay(connection)


def _read_line(descriptor: int, timeout: float) -> str:
    """What comes before the first line end; "" at the end of the pipe or of the time."""
    text = b""
    until = time.monotonic() + timeout
    while not text.endswith(b"\n"):
        left = until - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return ""
        part = os.read(descriptor, 32)
        if not part:
            return ""
        text += part
    return text.decode().strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, so that the server removes its socket; SIGKILL when that is not enough."""
    for number, patience in ((signal.SIGTERM, STOP_TIMEOUT), (signal.SIGKILL, None)):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)


def _socket_of(name: str) -> Path:
    return _SOCKETS / f"X{name.lstrip(':').split('.')[0]}"


def _in_use(name: str) -> bool:
    """True when a server answers; `-displayfd` writes no lock file that could tell."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(_socket_of(name)))
        except OSError:
            return False
        return True


def _remove_leftovers(name: str | None) -> None:
    """The socket of a server that had to be killed, unless another one took the name."""
    if name is None or _in_use(name):
        return
    # Not ours to remove when another user made it: then the name was reused meanwhile.
    with contextlib.suppress(FileNotFoundError, PermissionError):
        _socket_of(name).unlink()
