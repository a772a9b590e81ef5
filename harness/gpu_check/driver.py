"""Driver, Vulkan, CUDA and the two video engines: what is there at all."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from ..errors import EnvironmentProblem
from ..vulkan import devices
from .model import CheckFailed, Context, NotRun, Seen

VERSION_FILE = Path("/proc/driver/nvidia/version")
_TIMEOUT = 60.0  # seconds; the first call after boot initialises the card
_ENCODED = 8  # pictures that are coded to see whether NVENC does


def driver_version() -> str | None:
    """The kernel module's version, such as '580.159.04'; None where none is loaded."""
    try:
        text = VERSION_FILE.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"\b(\d+\.\d+(?:\.\d+)?)\b", text)
    return found[1] if found else None


def require_driver() -> None:
    """For what goes through CUDA alone. Raises NotRun where no NVIDIA driver is loaded."""
    if driver_version() is None:
        raise NotRun(f"no NVIDIA kernel driver is loaded ({VERSION_FILE} is not there)")


def require_gpu(context: Context) -> tuple[str, ...]:
    """The NVIDIA devices that Vulkan offers. Raises NotRun where there is none."""
    if context.gpus is None:
        try:
            names = [device.name for device in devices()]
        except EnvironmentProblem as error:
            context.gpus, context.no_gpu = (), error.message
        else:
            context.gpus = tuple(name for name in names if "nvidia" in name.lower())
            context.no_gpu = f"Vulkan offers {', '.join(names) or 'no device'}"
    if not context.gpus:
        raise NotRun(f"no NVIDIA GPU: {context.no_gpu}")
    return context.gpus


def require_device(context: Context) -> bool:
    """Raises NotRun where Chrome has no device that may be used; True for a GPU, False for
    a software device that was allowed."""
    try:
        require_gpu(context)
    except NotRun as reason:
        if not context.allow_software:
            raise NotRun(f"{reason} (--allow-software tries it without a GPU)") from None
        return False
    return True


def driver(_context: Context) -> Seen:
    """The kernel module, and what nvidia-smi says of the cards."""
    require_driver()
    version = driver_version() or ""
    figures: dict[str, str | int | float] = {"driver": version}
    if program := shutil.which("nvidia-smi"):
        done = subprocess.run(
            [program, "--query-gpu=name,memory.total,pci.bus_id", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
        )
        if done.returncode != 0:
            last = (done.stdout + done.stderr).strip().splitlines() or ["no output"]
            raise CheckFailed(f"nvidia-smi ends with {done.returncode}: {last[-1]}", figures)
        for number, line in enumerate(done.stdout.strip().splitlines()):
            figures[f"card {number}"] = line
    return Seen(f"driver {version}", figures)


def vulkan(context: Context) -> Seen:
    """An NVIDIA device that the loader offers."""
    try:
        names = require_gpu(context)
    except NotRun as reason:
        if driver_version() is None:
            raise
        raise CheckFailed(
            f"the driver is loaded, but {reason}",
            None,
            "what to do: without a display the driver's libEGL_nvidia.so.0, libegl1 and "
            "glvnd's egl_vendor.d/10_nvidia.json are needed, too (containers: "
            "NVIDIA_DRIVER_CAPABILITIES=all)",
        ) from None
    return Seen(", ".join(names), {"devices": len(names)})


def _cuda() -> dict[str, Any]:
    """Raises NotRun where no driver is loaded, CheckFailed where CUDA does not work."""
    require_driver()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "harness.gpu_check.cuda"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
        )
    except subprocess.TimeoutExpired as error:
        raise CheckFailed(f"the CUDA driver did not answer within {_TIMEOUT:g} s") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise CheckFailed(f"CUDA does not work: {said[-1]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def cuda(_context: Context) -> Seen:
    """A device, and a megabyte that comes back from it as it went."""
    found = _cuda()
    found.pop("nvdec")
    if not found.pop("copies equal"):
        raise CheckFailed("what was copied to the device came back changed", found)
    return Seen(f"CUDA {found['version']}, {found['device']}", found)


def nvdec(_context: Context) -> Seen:
    """What the decoder says of itself for H.264."""
    found = _cuda()["nvdec"]
    if error := found.get("error"):
        raise NotRun(f"no H.264 decoder: {error}")
    return Seen(f"{found['engines']} engines, H.264 up to {found['largest']}", found)


def nvenc(_context: Context) -> Seen:
    """Whether the card opens an encoder session, asked by FFmpeg's h264_nvenc, which knows
    every version of the interface."""
    require_driver()
    reason = nvenc_refusal()
    if reason is not None:
        raise NotRun(f"no NVENC: {reason}")
    return Seen(f"a session opened and coded {_ENCODED} pictures")


def nvenc_refusal() -> str | None:
    """Why NVENC codes nothing here; None where it coded some pictures."""
    previous = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as logs:
            try:
                coded = _encode()
            except (av.error.FFmpegError, ValueError) as error:
                said = [text.strip() for _, _, text in logs if text.strip()]
                return "; ".join(said) or str(error)
    finally:
        av.logging.set_level(previous)
    return None if coded == _ENCODED else f"{coded} of {_ENCODED} pictures were coded"


def _encode() -> int:
    codec = av.VideoCodecContext.create("h264_nvenc", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = 640, 352, "nv12"
    codec.framerate, codec.options = Fraction(24), {"bf": "0"}
    coded = 0
    for number in range(_ENCODED):
        frame = av.VideoFrame(640, 352, "nv12")
        for plane in frame.planes:
            plane.update(bytes([16 * number]) * plane.buffer_size)
        frame.pts = number
        coded += len(codec.encode(frame))
    return coded + len(codec.encode(None))
