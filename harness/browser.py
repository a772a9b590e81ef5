"""Chrome for a recording: found, started as the layer needs it, watched, and always ended.

Playwright drives it over a pipe, so no debugging port is opened. The profile is
temporary. What Chrome, its GPU process and the layer write to stderr is kept in a file.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import os
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from typing_extensions import Self

from . import browser_sandbox
from .browser_launch import DROPPED_DEFAULTS, LayerEnvironment, launch_arguments
from .browser_processes import browser_pid, processes_of, runs
from .browser_profile import PROFILE_PREFIX, hold, remove_folder, remove_stale_profiles
from .errors import BrowserError

START_TIMEOUT = 45.0  # seconds; a cold start on a busy two-core machine takes 10
CLOSE_TIMEOUT = 10.0
VIEWPORT_TIMEOUT = 3.0
CRASH_TIMEOUT = 10.0
SMALLEST_WINDOW = 64  # device pixels a side, as for a viewport
CRASHED = "the page crashed"
LONGEST_TMPDIR = 60  # characters; a socket's path below it must stay under 108


class BrowserSession:
    """One Chrome on one display, with one app window, while the context lasts.

    >>> with BrowserSession(find_browser(), display.name, 1280, 720, Path("run")) as session:
    ...     session.page.goto(url)

    `width` and `height` are device pixels, `scale` of them a CSS pixel. `folder` gets
    `chrome.log`. `layer` None starts Chrome without the capture layer. `playwright` may be
    one that is already running; it is then left running. `sandbox` None means: as
    browser_sandbox.sandboxed says. `context_options` go to Playwright's
    launch_persistent_context, such as reduced_motion.

    Raises BrowserError on entry where Chrome does not start, or its page has not exactly
    the size asked for.
    """

    def __init__(
        self,
        executable: Path,
        display: str,
        width: int,
        height: int,
        folder: Path,
        *,
        scale: float = 1,
        layer: LayerEnvironment | None = None,
        arguments: Callable[[int, int, float], list[str]] = launch_arguments,
        extra_arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        playwright: Playwright | None = None,
        sandbox: bool | None = None,
        context_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.executable = executable
        self.display = display
        self.width = width
        self.height = height
        self.scale = scale
        self.layer = layer
        self.log_path = folder / "chrome.log"
        self.version = ""
        self._arguments = [*arguments(width, height, scale), *extra_arguments]
        self._environment = dict(environment or {})
        self._context_options = dict(context_options or {})
        self._given_playwright = playwright
        self._playwright: Playwright | None = None
        self._sandbox = browser_sandbox.sandboxed() if sandbox is None else sandbox
        self._scratch: Path | None = None
        self._lock: IO[bytes] | None = None
        self._context: BrowserContext | None = None
        self._page: Page | None = None
        self._window = (width, height)
        self._pid: int | None = None
        self._dead: str | None = None
        self._closing = False

    @property
    def context(self) -> BrowserContext:
        """Playwright's context. Raises RuntimeError while Chrome does not run."""
        if self._context is None:
            raise RuntimeError("the browser is not running")
        return self._context

    @property
    def page(self) -> Page:
        """The app window's page; another one after `recover`."""
        if self._page is None:
            raise RuntimeError("the browser is not running")
        return self._page

    @property
    def window(self) -> tuple[int, int]:
        """Width and height of the window now, device pixels."""
        return self._window

    @property
    def pid(self) -> int | None:
        """Chrome's browser process, once found."""
        return self._pid

    @property
    def dead(self) -> str | None:
        """Why the page can no longer be used, or None. Cheap; ask it in every wait."""
        if self._dead is None and not self._closing and self._pid and not runs(self._pid):
            self._dead = "Chrome has ended"
        return self._dead

    def check_alive(self) -> None:
        """Raises BrowserError when Chrome or its page has died."""
        if self.dead:
            raise BrowserError(self.dead, f"read the end of {self.log_path}{_quoted_end(self)}")

    def __enter__(self) -> Self:
        remove_stale_profiles()
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        # Chrome appends to it: what an earlier one said must not be taken for this one's.
        self.log_path.unlink(missing_ok=True)
        self._scratch = Path(tempfile.mkdtemp(prefix=PROFILE_PREFIX))
        try:
            self._lock = hold(self._scratch)
            self._playwright = self._given_playwright or _start_playwright()
            self._launch(self._playwright)
            self._await_view(self.width, self.height)
        except BaseException:
            self._end(gently=False)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # After Ctrl-C Playwright's loop may be in the middle of a call: no more questions.
        gently = kind is None or issubclass(kind, Exception)
        self._end(gently=gently)

    def _launch(self, playwright: Playwright) -> None:
        assert self._scratch is not None
        try:
            context = playwright.chromium.launch_persistent_context(
                self._profile,
                executable_path=self._starter(),
                headless=False,
                no_viewport=True,
                chromium_sandbox=self._sandbox,
                args=self._arguments,
                ignore_default_args=list(DROPPED_DEFAULTS),
                env={**self._variables()},
                timeout=START_TIMEOUT * 1000,
                **self._artifacts(playwright),
                **self._context_options,
                # Chrome has its own process group and never sees Ctrl-C; we end it.
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            )
        except PlaywrightError as error:
            reason = error.message.split("\n")[0]
            raise BrowserError(
                f"{self.executable} did not start: {reason}{_quoted_end(self)}",
                self._start_remedy(reason),
            ) from error
        self._context = context
        self._pid = browser_pid(self._profile)
        context.on("close", lambda _: self._died("Chrome closed its window"))
        self._follow(context.pages[0])
        details = context.new_cdp_session(self.page).send("Browser.getVersion")
        self.version = str(details["product"])

    def _follow(self, page: Page) -> None:
        """Makes `page` the one that is recorded: only its end is the end."""

        def ended(reason: str) -> None:
            if page is self._page:
                self._died(reason)

        page.on("crash", lambda _: ended(CRASHED))
        page.on("close", lambda _: ended("Chrome closed its window"))
        self._page = page

    def _artifacts(self, playwright: Playwright) -> dict[str, Any]:
        """Keeps Playwright's own folder in ours, where the installed version can do that."""
        known = inspect.signature(playwright.chromium.launch_persistent_context).parameters
        return {"artifacts_dir": self._scratch} if "artifacts_dir" in known else {}

    @property
    def _profile(self) -> Path:
        assert self._scratch is not None
        return self._scratch / "profile"

    def _starter(self) -> Path:
        """A script that runs Chrome with stderr in the log.

        Playwright would drop it, and with it what the GPU process, the driver and the
        layer say. `exec` keeps the process id, and so Playwright's hold on Chrome.
        """
        assert self._scratch is not None
        script = self._scratch / "start-chrome"
        program = shlex.quote(str(self.executable.absolute()))
        log = shlex.quote(str(self.log_path.absolute()))
        script.write_text(f'#!/bin/sh\nexec {program} "$@" 2>>{log}\n')
        script.chmod(0o700)
        return script

    def _variables(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name != "WAYLAND_DISPLAY"}
        variables = {**inherited, "DISPLAY": self.display}
        assert self._scratch is not None
        temporary = self._scratch / "tmp"
        if len(str(temporary)) <= LONGEST_TMPDIR:
            # Chrome, when killed, leaves its folder of sockets in $TMPDIR: it goes with ours.
            temporary.mkdir(exist_ok=True)
            variables["TMPDIR"] = str(temporary)
        if self.layer is not None:
            variables.update(self.layer.variables(inherited))
        return {**variables, **self._environment}

    def _start_remedy(self, reason: str) -> str:
        if "EACCES" in reason:
            return "set TMPDIR to a folder from which programs may be run (not noexec)"
        log = _end_of(self.log_path)
        if browser_sandbox.was_refused(log):
            return browser_sandbox.remedy(self.executable)
        if "cannot open display" in log.lower() or "Missing X server" in log:
            return f"check that the display {self.display} runs"
        return f"start it by hand to see why; its output is in {self.log_path}"

    def resize(self, width: int, height: int) -> None:
        """Makes the window `width` x `height` device pixels and waits until the page has it.

        The recorded picture keeps its size: a smaller window stands at its top left.

        Raises BrowserError for a size that cannot be, naming what can, and where the page
        does not take it.
        """
        self._check_size(width, height)
        self._set_bounds(width, height)
        self._await_view(width, height)
        self._window = (width, height)

    def _check_size(self, width: int, height: int) -> None:
        asked = f"the window cannot be {width}x{height}"
        if width > self.width or height > self.height:
            raise BrowserError(
                f"{asked}: the stream's pictures are {self.width}x{self.height}",
                "choose a size inside the viewport, or begin with a larger viewport",
            )
        if min(width, height) < SMALLEST_WINDOW:
            raise BrowserError(
                f"{asked}: below {SMALLEST_WINDOW} pixels a side a page has nothing to show",
                f"choose at least {SMALLEST_WINDOW}x{SMALLEST_WINDOW}, as for a viewport",
            )
        if width % 2 or height % 2:
            raise BrowserError(
                f"{asked}: its edge would cut a chroma sample, which is 2x2 pixels",
                "choose an even width and height",
            )
        css = [side / self.scale for side in (width, height)]
        if any(abs(side - round(side)) > 1e-6 for side in css):
            raise BrowserError(
                f"{asked} with {self.scale:g} device pixels a CSS pixel",
                "choose a size that is a whole number of CSS pixels",
            )

    def _set_bounds(self, width: int, height: int) -> None:
        session = self.context.new_cdp_session(self.page)
        try:
            window = session.send("Browser.getWindowForTarget")["windowId"]
            bounds = {"width": round(width / self.scale), "height": round(height / self.scale)}
            session.send("Browser.setWindowBounds", {"windowId": window, "bounds": bounds})
        finally:
            session.detach()

    def crash_page(self) -> None:
        """Makes the page's process crash, and waits until it has; `recover` brings it back.

        Chrome itself goes on and shows its page for crashes. Raises BrowserError when the
        page outlives it.
        """
        page = self.page
        until = time.monotonic() + CRASH_TIMEOUT
        # Ends with an error in any case: the navigation is aborted, or the page is gone.
        with contextlib.suppress(PlaywrightError):
            page.goto("chrome://crash", timeout=CRASH_TIMEOUT * 1000)
        while self.dead is None and time.monotonic() < until:
            # The crash is told while events are dispatched, and this ends with an error then.
            with contextlib.suppress(PlaywrightError):
                page.wait_for_timeout(20)
        if self.dead != CRASHED:
            raise BrowserError(
                self.dead or "the page did not crash",
                f"read the end of {self.log_path}{_quoted_end(self)}",
            )

    def recover(self, prepare: Callable[[Page], None] = lambda _page: None) -> Page:
        """Opens a crashed page's address again, in a new window in the old one's place.

        Playwright never talks to a page again that has crashed, also when Chrome has
        reloaded it: so it is another Page, which is given back, and `page` from now on.
        `prepare` gets it before the address is opened. Raises BrowserError when the page
        has not crashed, or when no window comes.
        """
        if self.dead != CRASHED:
            raise BrowserError(
                self.dead or "the page has not crashed",
                "only a page that crashed can be recovered",
            )
        crashed = self.page
        page = self._open_window()
        self._follow(page)
        self._dead = None
        if self._window != (self.width, self.height):
            self._set_bounds(*self._window)
        self._await_view(*self._window)
        prepare(page)
        try:
            # Its swapchain goes with it, and the new window's takes its place.
            crashed.close()
            page.goto(crashed.url, timeout=START_TIMEOUT * 1000)
        except PlaywrightError as error:
            self.check_alive()
            raise BrowserError(
                f"{crashed.url} did not load again: {error.message.split(chr(10))[0]}",
                "check that its server still runs",
            ) from error
        return page

    def _open_window(self) -> Page:
        """A second start with the same profile: Chrome hands it over to the one that runs."""
        command = [str(self._starter()), *self._arguments, f"--user-data-dir={self._profile}"]
        if not self._sandbox:
            command.append("--no-sandbox")
        try:
            with self.context.expect_page(timeout=START_TIMEOUT * 1000) as opened:
                subprocess.run(
                    command,
                    env=self._variables(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    timeout=START_TIMEOUT,
                    check=True,
                )
            return opened.value
        except (PlaywrightError, subprocess.SubprocessError) as error:
            raise BrowserError(
                "Chrome opened no new window in the crashed one's place",
                f"read the end of {self.log_path}{_quoted_end(self)}",
            ) from error

    def _await_view(self, wanted_width: int, wanted_height: int) -> None:
        """The page must be exactly as large as asked, and at the scale asked for."""
        until = time.monotonic() + VIEWPORT_TIMEOUT
        while True:
            # The visual viewport's size has its fraction, innerWidth is a whole number.
            width, height, ratio = self.page.evaluate(
                "[visualViewport.width, visualViewport.height, devicePixelRatio]"
            )
            scaled = math.isclose(ratio, self.scale, rel_tol=1e-6)  # Chrome has 32 bits of it
            width, height = round(width * self.scale), round(height * self.scale)
            if scaled and (width, height) == (wanted_width, wanted_height):
                return
            if time.monotonic() > until:
                break
            self.page.wait_for_timeout(50)
        if not scaled:
            raise BrowserError(
                f"the page has {ratio:g} device pixels a CSS pixel instead of {self.scale:g}",
                "remove display scaling (Xft.dpi, GDK_SCALE, a device scale factor)",
            )
        remedy = "make the display larger than the window"
        if self.scale != 1:
            remedy = "choose a size that is a whole number of CSS pixels"
        if width == wanted_width and height < wanted_height:
            lost = wanted_height - height
            remedy = f"a bar of Chrome takes {lost} px at the top; see which in {self.log_path}"
        raise BrowserError(
            f"the page is {width}x{height} instead of {wanted_width}x{wanted_height}", remedy
        )

    def _died(self, reason: str) -> None:
        if not self._closing and self._dead is None:
            self._dead = reason

    def _end(self, *, gently: bool) -> None:
        """Ends Chrome and Playwright and removes the profile, whatever fails on the way."""
        self._closing = True
        context, self._context = self._context, None
        self._page = None
        playwright, self._playwright = self._playwright, None
        watchdog = threading.Timer(CLOSE_TIMEOUT, self._kill)
        watchdog.daemon = True
        try:
            if gently and context is not None:
                watchdog.start()
                with contextlib.suppress(PlaywrightError):
                    context.close()
        finally:
            watchdog.cancel()
            try:
                self._kill()
                if playwright is not None and self._given_playwright is None:
                    # Complains where a call was cut short by Ctrl-C; the driver ends anyway.
                    with contextlib.suppress(Exception):
                        playwright.stop()
            finally:
                self._kill()
                if self._scratch is not None:
                    remove_folder(self._scratch)
                    self._scratch = None
                if self._lock is not None:
                    self._lock.close()
                    self._lock = None

    def _kill(self) -> None:
        """Kills what is left of this Chrome: everything that names its profile."""
        if self._scratch is None:
            return
        until = time.monotonic() + 5.0
        while True:
            left = processes_of(self._profile, self._pid)
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            if not left or time.monotonic() > until:
                return
            time.sleep(0.02)


def _start_playwright() -> Playwright:
    """A thread can have one at a time. Raises BrowserError when there is one already, and
    for a user without a home folder, which Playwright asks for."""
    try:
        Path.home()
    except RuntimeError as error:
        raise BrowserError(
            "Playwright does not start: this user has no home folder",
            "set $HOME; a folder that does not exist will do",
        ) from error
    try:
        return sync_playwright().start()
    except PlaywrightError as error:
        raise BrowserError(
            f"Playwright does not start: {error.message.split(chr(10))[0]}",
            "one thread can run one Playwright: end the other session first, or share its "
            "Playwright (playwright=...)",
        ) from error


def _end_of(path: Path, size: int = 4000) -> str:
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _quoted_end(session: BrowserSession) -> str:
    lines = [line for line in _end_of(session.log_path).splitlines() if line.strip()][-3:]
    return "".join(f"\n  chrome: {line[:300]}" for line in lines)
