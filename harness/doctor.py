"""`harness doctor`: what a recording needs, whether it is there, and what to install."""

from __future__ import annotations

import ctypes
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import av

from . import __version__
from .browser_launch import SHM_NEEDED
from .browser_program import BROWSER_VARIABLE, INSTALL_REMEDY, find_browser
from .browser_sandbox import describe as describe_sandbox
from .encoder import probe
from .errors import EnvironmentProblem, HarnessError
from .media import prepare_clips
from .metrics import count_frames
from .native import LAYER_LIBRARY, LAYER_MANIFEST, layer_dir, library_dir, native, openh264
from .recorder import RecorderSettings
from .session import Session, SessionSettings
from .vulkan import devices, require_vulkan_driver

SHM_LEAST = 128 << 20  # bytes: the frame ring at 1920x1080 takes 100 MB
CAPTURE_SECONDS = 3.0
CLIPS = ("bigbuckbunny", "bikes")  # those that the project's own scenarios play
_REBUILD = "build and install the package again: make build, or pip install ."
_TIMEOUT = 20.0  # seconds for a program to say its version

_PAGE = """<!doctype html><meta charset=utf-8><title>doctor</title><style>
body{margin:0;background:#123}i{position:absolute;top:80px;width:90px;height:90px;
background:#fa0;animation:go 1s linear infinite alternate}@keyframes go{from{left:20px}
to{left:300px}}</style><i></i>"""


class Status(Enum):
    """What became of one check."""

    OK = "ok"
    MISSING = "missing"
    BROKEN = "broken"
    OPTIONAL = "optional, missing"
    NOT_RUN = "not run"


class Broken(EnvironmentProblem):
    """It is there and does not work."""


@dataclass(frozen=True)
class Finding:
    """One line: what was looked for, what was found, and what to do where it is not well."""

    name: str
    status: Status
    found: str
    remedy: str = ""

    @property
    def blocks(self) -> bool:
        """Whether no recording can be made for it."""
        return self.status in (Status.MISSING, Status.BROKEN)

    def to_json(self) -> dict[str, str]:
        """Plain data for json.dump."""
        return {
            "name": self.name,
            "status": self.status.value,
            "found": self.found,
            "what_to_do": self.remedy,
        }


@dataclass(frozen=True)
class Check:
    """`look` says what it found, or raises: Broken, another HarnessError where it is
    missing. Not `required`: whatever is wrong, a recording can be made."""

    name: str
    look: Callable[[], str]
    required: bool = True

    def run(self) -> Finding:
        """Never raises: an error nobody thought of is a finding, too."""
        try:
            return Finding(self.name, Status.OK, self.look())
        except HarnessError as error:
            status = Status.BROKEN if isinstance(error, Broken) else Status.MISSING
            found, remedy = error.message, error.remedy
        except Exception as error:
            status, found = Status.BROKEN, f"{type(error).__name__}: {error}"
            remedy = "report this with the output of `harness doctor --json`"
        return Finding(self.name, status if self.required else Status.OPTIONAL, found, remedy)


def examine(
    browser: str | None = None, *, quick: bool = False, checks: Sequence[Check] | None = None
) -> Iterator[Finding]:
    """Every finding as it is made. `browser` as of find_browser; `quick` leaves out the
    capture of real frames, which takes about ten seconds."""
    findings = []
    for check in _checks(browser) if checks is None else checks:
        findings.append(check.run())
        yield findings[-1]
    if quick:
        yield Finding("capture", Status.NOT_RUN, "left out by --quick")
    elif blocking := [finding.name for finding in findings if finding.blocks]:
        yield Finding("capture", Status.NOT_RUN, f"needs first: {', '.join(blocking)}")
    else:
        yield Check("capture", lambda: _capture(browser)).run()


def _checks(browser: str | None) -> tuple[Check, ...]:
    return (
        Check("system", _system),
        Check("browser", lambda: _browser(browser)),
        Check("Chrome's sandbox", lambda: describe_sandbox(find_browser(browser))),
        Check("Vulkan driver", _vulkan_driver),
        Check("Vulkan device", _vulkan_device),
        Check("capture layer", _layer),
        Check("encoder libx264", _x264),
        Check("decoder FFmpeg", _ffmpeg),
        Check("decoder OpenH264", _openh264),
        Check("Xvfb", _xvfb),
        Check("shared memory", _shared_memory),
        Check("fonts", _fonts, required=False),
        Check("clips", _clips, required=False),
        Check("pytest plugin", _plugin, required=False),
        Check("node", _node, required=False),
        Check("CUDA", lambda: _driver_library("libcuda.so.1"), required=False),
        Check("encoder NVENC", _nvenc, required=False),
    )


def _system() -> str:
    return f"uisplice {__version__}, Python {platform.python_version()}, {platform.platform()}"


def _says(program: str | Path, *arguments: str) -> str:
    """A program's first line of output. Raises Broken."""
    try:
        done = subprocess.run(
            [str(program), *arguments], capture_output=True, text=True, timeout=_TIMEOUT
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Broken(f"{program} does not run: {error}", "install it again") from error
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        text = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise Broken(f"{program} ends with {done.returncode}: {text}", "install it again")
    return lines[0].strip()


def _browser(wanted: str | None) -> str:
    program = find_browser(wanted)  # refuses a snap
    try:
        version = _says(program, "--version")
    except Broken as error:
        raise Broken(error.message, INSTALL_REMEDY) from error
    source = f", from ${BROWSER_VARIABLE}" if os.environ.get(BROWSER_VARIABLE) else ""
    return f"{version} ({program}{'' if wanted else source}; not a snap)"


def _vulkan_driver() -> str:
    require_vulkan_driver()
    named = os.environ.get("VK_DRIVER_FILES") or os.environ.get("VK_ICD_FILENAMES")
    return f"named in $VK_DRIVER_FILES: {named}" if named else "installed"


def _vulkan_device() -> str:
    try:
        found = devices()
    except EnvironmentProblem as error:
        raise Broken(error.message, error.remedy) from error
    if not found:
        raise EnvironmentProblem(
            "no driver offers a device",
            "apt install mesa-vulkan-drivers (lavapipe runs without a GPU)",
        )
    return ", ".join(f"{d.name} ({d.driver})" if d.driver else d.name for d in found)


def _layer() -> str:
    folder = layer_dir()
    manifest = folder / LAYER_MANIFEST
    try:
        layer = json.loads(manifest.read_text(encoding="utf-8"))["layer"]
        entry = layer["functions"]["vkNegotiateLoaderLayerInterfaceVersion"]
        getattr(ctypes.CDLL(str(folder / LAYER_LIBRARY)), entry)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Broken(f"{manifest}: {type(error).__name__}: {error}", _REBUILD) from error
    return f"{layer['name']}, {manifest}"


def _loaded(load: Callable[[], Any]) -> Any:
    """A native library; that it is there was seen before. Raises Broken."""
    library_dir()
    try:
        return load()
    except EnvironmentProblem as error:
        raise Broken(error.message, error.remedy) from error


def _x264() -> str:
    library = _loaded(native)
    return str(library.text(library.lib.uis_x264_version()))


def _openh264() -> str:
    library = _loaded(openh264)
    return str(library.text(library.lib.uis_openh264_version()))


def _ffmpeg() -> str:
    version = ".".join(str(number) for number in av.library_versions["libavcodec"])
    try:
        av.Codec("h264", "r")
    except av.codec.codec.UnknownCodecError as error:
        raise EnvironmentProblem(
            f"libavcodec {version} has no H.264 decoder", "pip install --force-reinstall av"
        ) from error
    return f"libavcodec {version}, PyAV {av.__version__}"


def _xvfb() -> str:
    program = shutil.which("Xvfb")
    if program is None:
        raise EnvironmentProblem("not on $PATH", "apt install xvfb")
    return program


def _shared_memory() -> str:
    try:
        state = os.statvfs("/dev/shm")
    except OSError as error:
        raise EnvironmentProblem(f"/dev/shm: {error.strerror}", "mount it: tmpfs") from error
    free = state.f_bavail * state.f_frsize
    text = f"/dev/shm has {free >> 20} MiB free"
    if free < SHM_LEAST:
        raise EnvironmentProblem(text, "enlarge it (containers: --shm-size=1g)")
    if free < SHM_NEEDED:
        text += "; Chrome will use files instead, which are slower (containers: --shm-size=1g)"
    return text


def _fonts() -> str:
    install = "apt install fonts-dejavu-core fontconfig"
    if shutil.which("fc-list") is None:
        found = sum(
            1 for kind in ("ttf", "otf") for _ in Path("/usr/share/fonts").rglob(f"*.{kind}")
        )
        if not found:
            raise EnvironmentProblem("no font in /usr/share/fonts", install)
        return f"{found} files in /usr/share/fonts"
    done = subprocess.run(
        ["fc-list", "--format=%{family}\n"], capture_output=True, text=True, timeout=_TIMEOUT
    )
    families = {line for line in done.stdout.splitlines() if line}
    if not families:
        raise EnvironmentProblem("fontconfig knows no font: pages show boxes", install)
    return f"{len(families)} families"


def _clips() -> str:
    return ", ".join(prepare_clips(CLIPS))


def _plugin() -> str:
    for entry in importlib.metadata.entry_points(group="pytest11"):
        if entry.value == "harness.pytest_plugin":
            return f"registered; pytest {importlib.metadata.version('pytest')}"
    raise EnvironmentProblem(
        "not registered: pytest collects no scenarios here",
        "install the package in this environment: pip install .",
    )


def _node() -> str:
    program = shutil.which("node")
    if program is None:
        raise EnvironmentProblem(
            "not on $PATH (only the project's own tests use it, for the third decoder)",
            "apt install nodejs",
        )
    return f"{_says(program, '--version')} (for the third decoder in the project's tests)"


def _driver_library(name: str) -> str:
    try:
        ctypes.CDLL(name)
    except OSError as error:
        raise EnvironmentProblem(
            f"{name} does not load", "nothing, unless there is an NVIDIA GPU: install its driver"
        ) from error
    return f"{name} loads"


def _nvenc() -> str:
    """A session is opened: a card may be there and have no NVENC."""
    try:
        return probe(RecorderSettings(encoder="nvenc"))
    except EnvironmentProblem as error:
        raise EnvironmentProblem(
            error.message, "nothing, unless NVENC is wanted: see docs/nvenc.md"
        ) from error


def _capture(browser: str | None) -> str:
    """Records a page that moves. Raises Broken."""
    with tempfile.TemporaryDirectory(prefix="uisplice-doctor-") as scratch:
        site = Path(scratch, "site")
        site.mkdir()
        (site / "index.html").write_text(_PAGE, encoding="utf-8")
        settings = SessionSettings(
            folder=Path(scratch, "recording"),
            open="index.html",
            recorder=RecorderSettings(640, 360),
            site=site,
            browser=browser,
        )
        try:
            with Session(settings) as session:
                session.open()
                session.start()
                session.wait(CAPTURE_SECONDS)
                recording = session.stop()
                device = session.environment()["vulkan device"]
        except HarnessError as error:
            # Its log is in a folder that is about to go.
            remedy = error.remedy.replace(scratch, "the recording's folder")
            raise Broken(error.message, f"{remedy}; `harness run` keeps the log") from error
    frames = count_frames(recording)
    if recording.error or frames.presented < 2:
        raise Broken(
            f"{frames.presented} presents in {CAPTURE_SECONDS:g} s of an animation"
            + (f"; {recording.error}" if recording.error else ""),
            "record any page with `harness run` and read its chrome.log",
        )
    return (
        f"{frames.presented} presents in {CAPTURE_SECONDS:g} s, {frames.encoded} encoded, "
        f"{frames.dropped} dropped, on {device}"
    )
