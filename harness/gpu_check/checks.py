"""Which checks there are, in their order, and how they are run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from ..errors import HarnessError
from . import chrome, driver, nvdec, phases, zero_copy
from .model import Check, CheckFailed, Context, Figures, Finding, NotRun, Outcome

CHECKS = (
    Check(
        "driver",
        "NVIDIA driver",
        "The kernel module is loaded and nvidia-smi answers.",
        driver.driver,
    ),
    Check("vulkan", "Vulkan device", "The loader offers an NVIDIA device.", driver.vulkan),
    Check(
        "cuda",
        "CUDA",
        "The driver makes a context; a megabyte comes back from the device as it went.",
        driver.cuda,
    ),
    Check(
        "nvdec",
        "NVDEC",
        "The decoder takes 8-bit H.264; how many engines, up to which size.",
        driver.nvdec,
    ),
    Check(
        "nvenc",
        "NVENC",
        "The card opens an encoder session and codes some pictures (by FFmpeg's h264_nvenc).",
        driver.nvenc,
    ),
    Check(
        "samples",
        "Sample streams in NVDEC",
        "Every committed stream (spliced and merged pictures, long-term references, several "
        "regions, row slices) decodes there; every picture's MD5 equals FFmpeg's and the "
        "committed one.",
        nvdec.samples,
    ),
    Check(
        "chrome-1080p",
        "Chrome with the layer, 1080p",
        "Chrome presents on the NVIDIA device through the layer's own swapchain, with damage "
        "on every present, and captured pixels equal a page screenshot.",
        chrome.pixels(1920, 1080),
    ),
    Check(
        "chrome-2160p",
        "Chrome with the layer, 2160p",
        "The same at 2160p.",
        chrome.pixels(3840, 2160),
    ),
    Check(
        "zero-copy",
        "Zero-copy equals readback",
        "In Chrome at 1080p 1,000 frames imported into CUDA hold the pixels that were read back, "
        "at no more than 0.2 ms a present.",
        zero_copy.zero_copy,
    ),
    Check(
        "nvenc-request",
        "Asking for NVENC where there is none",
        "`--encoder nvenc` ends with exit code 3 and an error that names NVENC and a remedy.",
        phases.nvenc_request,
    ),
    Check(
        "phases-1080p",
        "Ten phases, 1080p, libx264",
        "The reference scenario holds all it expects, with dropped = 0, and its stream passes "
        "every check in FFmpeg and OpenH264.",
        phases.recorded(1920, 1080),
    ),
    Check(
        "layer-side-1080p",
        "Ten phases, 1080p, encoded in Chrome's process",
        "The same with `encode: layer`.",
        phases.recorded(1920, 1080, encode="layer"),
    ),
    Check(
        "phases-2160p",
        "Ten phases, 2160p, libx264",
        "The same at 2160p, laid out as at 720p (ratio 3), with four threads of x264: one "
        "has no time for superfast at this size.",
        phases.recorded(3840, 2160, ratio="3", threads="4"),
    ),
    Check(
        "recordings",
        "Recordings in NVDEC",
        "The streams that the phases just made decode there, every picture as in FFmpeg.",
        nvdec.recordings,
    ),
)


def select(names: Sequence[str]) -> tuple[Check, ...]:
    """The checks named, in their own order; a name stands for those that begin with it and
    a dash, too (`chrome` for both sizes). No name: all.

    Raises:
        HarnessError: a name stands for none.
    """
    if not names:
        return CHECKS
    chosen = set()
    for name in names:
        found = {c.name for c in CHECKS if c.name == name or c.name.startswith(f"{name}-")}
        if not found:
            known = ", ".join(check.name for check in CHECKS)
            raise HarnessError(f"there is no check '{name}'", f"choose from {known}")
        chosen |= found
    return tuple(check for check in CHECKS if check.name in chosen)


def examine(context: Context, chosen: Sequence[Check] = CHECKS) -> Iterator[Finding]:
    """Makes the checks; one finding for each of CHECKS, as it is made."""
    for check in CHECKS:
        if check in chosen:
            yield _run(check, context)
        else:
            yield Finding(check.name, check.title, Outcome.NOT_RUN, "not chosen (--only)")


def _run(check: Check, context: Context) -> Finding:
    """Never raises but for an interrupt: an error nobody thought of is a failure, too."""
    start = time.monotonic()

    def ended(
        outcome: Outcome,
        summary: str,
        figures: Figures | None = None,
        details: tuple[str, ...] = (),
    ) -> Finding:
        seconds = time.monotonic() - start
        return Finding(check.name, check.title, outcome, summary, figures or {}, details, seconds)

    try:
        seen = check.look(context)
    except NotRun as reason:
        return ended(Outcome.NOT_RUN, str(reason))
    except CheckFailed as problem:
        return ended(Outcome.FAILED, str(problem), problem.figures, problem.details)
    except HarnessError as error:
        return ended(Outcome.FAILED, error.message, {}, (f"what to do: {error.remedy}",))
    except Exception as error:
        return ended(Outcome.FAILED, f"{type(error).__name__}: {error}")
    outcome = Outcome.SOFTWARE if seen.software else Outcome.PASSED
    return ended(outcome, seen.summary, seen.figures, seen.details)
