"""How Chrome is started, so that it presents through Vulkan and the layer, with damage."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .native import LAYER_NAME

SHM_NEEDED = 512 << 20  # bytes free in /dev/shm, below which Chrome is told to use files

# Playwright's defaults that change what is presented, or that are decided here.
DROPPED_DEFAULTS = (
    "--disable-extensions",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
)

# A second --enable-features or --disable-features replaces the first, so Playwright's
# own entries stand here again beside ours.
ENABLED_FEATURES = (
    "Vulkan",
    "VulkanFromANGLE",
    "CDPScreenshotNewSurface",
    "SkipListAccountsWithoutGaiaCookies",
)
DISABLED_FEATURES = (
    # ours: bars and bubbles in the view, background traffic
    "Translate",
    "GlobalMediaControls",
    "OptimizationGuideModelDownloading",
    "CertificateTransparencyComponentUpdater",
    "SegmentationPlatform",
    # Playwright's
    "AcceptCHFrame",
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
)


@dataclass(frozen=True)
class LayerEnvironment:
    """What the capture layer in Chrome's GPU process is told.

    `folder` holds its manifest, `ring` names the shared memory ("/..."), `log` is the
    layer's own verbosity ("" leaves the layer's default). `encoders` is the library with
    which it encodes, for a ring that says so, and `spool` the file where the frames go
    for a tape then. `capture` is where it shall leave the frames, if the environment does not
    say it (UIS_CAPTURE).
    """

    folder: Path
    ring: str
    wsi: Literal["virtual", "passthrough"] = "virtual"
    log: str = ""
    encoders: Path | None = None
    spool: Path | None = None
    capture: Literal["host", "device"] = "host"

    def variables(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Environment variables; a layer path that is already set is kept, after ours."""

        def first(value: str, name: str) -> str:
            before = inherited.get(name)
            return f"{value}{os.pathsep}{before}" if before else value

        variables = {
            "VK_ADD_LAYER_PATH": first(str(self.folder.absolute()), "VK_ADD_LAYER_PATH"),
            "VK_INSTANCE_LAYERS": first(LAYER_NAME, "VK_INSTANCE_LAYERS"),
            "UIS_RING": self.ring,
            "UIS_WSI": self.wsi,
        }
        if self.log:
            variables["UIS_LOG"] = self.log
        if self.encoders:
            variables["UISPLICE_LIBRARY"] = str(self.encoders.absolute())
        if self.spool:
            variables["UISPLICE_SPOOL"] = str(self.spool)
        if self.capture != "host" and not inherited.get("UIS_CAPTURE"):
            variables["UIS_CAPTURE"] = self.capture
        return variables


def launch_arguments(width: int, height: int, scale: float = 1) -> list[str]:
    """Chrome's switches for a window whose page is `width` x `height` device pixels,
    `scale` of them a CSS pixel.

    Override it by giving BrowserSession another function with the same signature.
    """
    css = [round(side / scale) for side in (width, height)]  # what --window-size counts in
    arguments = [
        # What makes Chrome present through Vulkan, with damage rectangles.
        "--use-angle=vulkan",
        "--ignore-gpu-blocklist",
        f"--enable-features={','.join(ENABLED_FEATURES)}",
        f"--disable-features={','.join(DISABLED_FEATURES)}",
        "--ozone-platform=x11",
        # A window without a toolbar. about:blank would get one, a data: URL does not.
        "--app=data:text/html,",
        f"--window-size={css[0]},{css[1]}",
        "--window-position=0,0",
        f"--force-device-scale-factor={scale:g}",
        # No bar about --no-sandbox, which would take 56 px from the page.
        "--test-type",
        # The page as a TV would run it.
        "--autoplay-policy=no-user-gesture-required",
        "--mute-audio",
        "--lang=en-US",
        # Nothing on the network but what the page asks for.
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-domain-reliability",
        "--disable-client-side-phishing-detection",
        "--disable-quic",
        "--disable-sync",
        "--no-pings",
        "--no-first-run",
        "--no-default-browser-check",
        # Chrome's log to stderr, which goes to the file.
        "--enable-logging=stderr",
    ]
    if _shared_memory_free() < SHM_NEEDED:
        # Files in /tmp are slower than /dev/shm, but a full /dev/shm kills the renderer.
        arguments.append("--disable-dev-shm-usage")
    return arguments


def _shared_memory_free() -> int:
    try:
        state = os.statvfs("/dev/shm")
    except OSError:
        return 0
    return state.f_bavail * state.f_frsize
